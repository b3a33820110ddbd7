"""Bodies are stored small and read back to the byte, those of older versions too."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Payload
from gateway.recording import bodies
from gateway.recording.bodies import zstd

CHAT = json.dumps(
    {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is in this picture?"}], "max_tokens": 200}
).encode()


@given(st.binary() | st.binary(min_size=1).map(lambda piece: piece * 999))
def test_a_body_is_read_back_to_the_byte(body: bytes) -> None:
    assert bodies.response_body(Payload(response_body=bodies.stored(body))) == body


@given(st.binary())
def test_a_body_of_an_older_version_is_read(body: bytes) -> None:
    payload = Payload(response_body=memoryview(zlib.compress(body, 6)), request_body=zlib.compress(body, 1))
    assert (bodies.response_body(payload), bodies.request_text(payload)) == (body, body)


@pytest.mark.parametrize("pack", [bodies.stored, zlib.compress])
def test_half_a_body_is_not_taken_for_the_whole(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises((zlib.error, zstd.ZstdError)):
        bodies.response_body(Payload(response_body=pack(CHAT * 50)[:-9]))


def test_what_all_calls_have_in_common_takes_no_room() -> None:
    assert len(bodies.stored(CHAT)) < 0.75 * len(zlib.compress(CHAT))


def test_of_a_very_large_body_the_beginning_is_shown() -> None:
    body = b"0123456789abcdef" * (bodies.SHOWN_BYTES // 8)
    payload = Payload(response_body=bodies.stored(body))
    assert bodies.response_text(payload) == body[: bodies.SHOWN_BYTES]
    assert bodies.response_body(payload) == body

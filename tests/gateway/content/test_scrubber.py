"""No spelling of a secret gets through, wherever it is cut in pieces; everything else stays as it was."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.scrubber import Scrubber

SECRET = 'sk-proj/aB3+dE5"fG7\\hJ9=kL1'
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


SPELLINGS = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps(text)[1:-1],
    "json of another": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "escaped": escaped,
    "escaped in capitals": lambda text: escaped(text).upper().replace("U", "u"),
    "json in json": lambda text: json.dumps(json.dumps({"key": escaped(text)})),
    "percent": lambda text: quote(text, safe=""),
    "percent all": lambda text: "".join(f"%{ord(c):02x}" for c in text),
    "mixed": lambda text: "".join(
        (c, escaped(c), f"%{ord(c):02X}")[n % 3] if c not in '"\\' else escaped(c) for n, c in enumerate(text)
    ),
    **{
        f"base64, {n} before": lambda text, n=n: base64.b64encode(b"x" * n + text.encode() + b"yz").decode()
        for n in range(4)
    },
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"user:" + text.encode()).decode(),
}


def said(data: bytes, spelled: str) -> bool:
    """Whether most of a spelling is still there."""
    return spelled[4:-4].encode() in data


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_starred_out_with_its_length_kept(spelling: str) -> None:
    spelled = SPELLINGS[spelling](SECRET)
    data = b'{"error": {"message": "wrong key ' + spelled.encode() + b'!"}}'
    clean = Scrubber.of([SECRET])(data)
    assert len(clean) == len(data)
    assert not said(clean, spelled)
    assert b"***" in clean
    assert clean.startswith(b'{"error": {"message": "wrong key ')


@given(secrets, st.sampled_from(list(SPELLINGS)), st.lists(st.integers(0, 400), max_size=6), st.text(max_size=20))
def test_pieces_give_what_the_whole_gives(secret: str, spelling: str, cuts: list[int], around: str) -> None:
    scrubber = Scrubber.of([secret])
    data = around.encode() + SPELLINGS[spelling](secret).encode() + around.encode()
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    out, held, at = b"", b"", 0
    for end in ends:
        clean = scrubber(held + data[at:end])
        kept = 0 if end == len(data) else scrubber.begun(clean)
        held, out, at = clean[len(clean) - kept :], out + clean[: len(clean) - kept], end
    assert scrubber(out) == out
    if not any(secret.startswith(secret[at:]) for at in range(1, len(secret))):
        assert out == scrubber(data)  # of a secret like 0000 in many zeros, other zeros may be left than from the whole
    assert b"***" in out
    assert len(out) == len(data)


@given(st.binary(max_size=300), secrets)
def test_what_says_no_secret_stays_as_it_is(data: bytes, secret: str) -> None:
    assert Scrubber.of([secret])(data) == data or secret.encode()[:2] in data


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_beyond_ascii_is_starred_out_too(spelling: str) -> None:
    secret = "pässwörd-\N{SNOWMAN}-\N{GRINNING FACE}-1234567890"
    if spelling.startswith(("mixed", "percent all", "escaped", "json in")):
        spelled = json.dumps(secret)[1:-1]
    else:
        spelled = SPELLINGS[spelling](secret)
    clean = Scrubber.of([secret])(b'{"message": "' + spelled.encode() + b'"}')
    assert not said(clean, spelled)


def test_the_byte_of_a_header_is_starred_out() -> None:
    assert b"*" * 14 in Scrubber.of(["pässwörd-12345"])("key pässwörd-12345".encode("latin-1"))


def test_short_words_are_starred_in_errors_only() -> None:
    assert Scrubber.of(["ollama"])(b"ollama is up") == b"ollama is up"
    assert Scrubber.of(["ollama"], shortest=4)(b"ollama is up") == b"****** is up"
    assert Scrubber.of([""], shortest=0)(b"a") == b"a"

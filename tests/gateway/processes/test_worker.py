"""The worker goes on, whatever one item does to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.models import Image
from gateway.pictures import blobs, thumbnails
from gateway.pictures.decoder import Decoder
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe, until
from tests.pictures import picture

POISON = [
    "http://example.com:65536/a.png",
    "http://example.com:-1/a.png",
    "http://xn--/a.png",
    "http://xn--a/a.png",
    "http://[fe80::1%25\N{SNOWMAN}]/a.png",
    "http://\ud800/a.png",
    "http://" + "a" * 9000 + "/a.png",
]


def test_links_that_are_no_addresses_stop_no_copying(upstream: FakeUpstream, own_loupe: Callable[..., Loupe]) -> None:
    upstream.on("pictures").will(*(response(body=picture()) for _ in range(9)))
    good = f"http://127.0.0.1:{upstream.port}/pictures/a.png"
    loupe = own_loupe(LOUPE_SNAPSHOT="on", LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}")
    for url in [*POISON, good]:
        part = {"type": "image_url", "image_url": {"url": url}}
        body = {"model": "@sandbox/vision", "messages": [{"role": "user", "content": [part]}]}
        trace = f"trace-{uuid.uuid4()}"
        assert loupe.call("/v1/chat/completions", json.dumps(body).encode(), headers={"x-portkey-trace-id": trace})[0]
    until(lambda: "kept" in loupe.call(f"/v1/logs/{loupe.log(trace)['id']}")[2].decode(), "the good link is copied")
    assert "broke" not in loupe.output()
    assert "Traceback" not in loupe.output()


@pytest.mark.django_db
def test_a_picture_that_breaks_the_decoder_is_put_aside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path)
    good, bad = picture(), picture("JPEG")
    for sha256, data in (("b" * 64, bad), ("a" * 64, good)):
        blobs.put(sha256, data)
        Image.objects.create(sha256=sha256, media_type="image/png", size=len(data))
    decoder = Decoder()
    decode = decoder.thumbnails
    monkeypatch.setattr(decoder, "thumbnails", lambda data: 1 // 0 if data == bad else decode(data))
    assert thumbnails.step(decoder)
    decoder.close()
    assert Image.objects.get(pk="b" * 64).thumbnail_problem == "an unexpected failure: ZeroDivisionError"
    assert Image.objects.get(pk="a" * 64).thumbnail == "made"
    assert not thumbnails.step(decoder)

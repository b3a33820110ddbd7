"""The worker goes on, whatever one item does to it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.models import Image
from gateway.pictures import blobs
from gateway.pictures.decoder import Decoder
from gateway.pictures.thumbnails import Thumbnails, found_or_made
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe, until
from tests.pictures import picture, slow_jpeg

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


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bytes], Image]:
    """Keeps a picture that has no thumbnail yet."""
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path)

    def keep(data: bytes) -> Image:
        sha256 = hashlib.sha256(data).hexdigest()
        blobs.put_all({sha256: data})
        return Image.objects.create(sha256=sha256, media_type="image/png", size=len(data))

    return keep


@pytest.mark.django_db
def test_a_picture_that_breaks_the_decoder_is_put_aside(
    monkeypatch: pytest.MonkeyPatch, kept: Callable[[bytes], Image]
) -> None:
    bad, good = kept(picture("JPEG")), kept(picture())
    decoder = Decoder()
    decode = decoder.thumbnail
    monkeypatch.setattr(decoder, "thumbnail", lambda data, **how: 1 // 0 if data == picture("JPEG") else decode(data))
    thumbnails = Thumbnails(decoder)
    until(lambda: not thumbnails.step(), "all is tried")
    thumbnails.close()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert bad.thumbnail_problem == "an unexpected failure: ZeroDivisionError"
    assert good.thumbnail == "made"


@pytest.mark.django_db
def test_slow_pictures_wait_for_quick_ones_and_say_the_true_reason(
    monkeypatch: pytest.MonkeyPatch, kept: Callable[[bytes], Image]
) -> None:
    monkeypatch.setattr("gateway.pictures.thumbnails.FIRST_TRY_SECONDS", 0.3)
    monkeypatch.setattr("gateway.pictures.thumbnails.SECONDS", 0.6)
    slow = [kept(slow_jpeg(20_000, salt=bytes([n]))) for n in range(4)]
    quick = kept(picture())
    thumbnails = Thumbnails()

    def is_made() -> bool:
        thumbnails.step()
        quick.refresh_from_db()
        return quick.thumbnail == "made"

    until(is_made, "the quick one is made")
    assert Image.objects.filter(thumbnail="pending").count() == len(slow)
    until(lambda: not thumbnails.step(), "all is tried", 30)
    thumbnails.close()
    assert set(Image.objects.exclude(pk=quick.pk).values_list("thumbnail_problem", flat=True)) == {
        "decoder_took_too_long"
    }


@pytest.mark.django_db
def test_the_large_thumbnail_is_made_when_it_is_looked_at(kept: Callable[[bytes], Image]) -> None:
    image = kept(picture("PNG", (1500, 1000)))
    thumbnails = Thumbnails(decoder := Decoder())
    until(lambda: not thumbnails.step(), "the small one is made")
    image.refresh_from_db()
    with pytest.raises(blobs.BlobMissing):
        blobs.get_thumbnail(image.sha256, 1024)
    assert found_or_made(image, 1024, decoder) == blobs.get_thumbnail(image.sha256, 1024)
    assert found_or_made(image, 256, decoder) == blobs.get_thumbnail(image.sha256, 256)
    thumbnails.close()

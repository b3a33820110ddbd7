"""A hostile picture costs a child process and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from gateway.content.sniff import DRAWN, sniff
from gateway.pictures.decoder import DecodeFailed, Decoder
from tests.pictures import picture


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP"])
def test_every_drawn_format_gives_two_upright_thumbnails(decoder: Decoder, fmt: str) -> None:
    seen = decoder.thumbnails(picture(fmt, (1600, 1200)))
    sizes = [Image.open(io.BytesIO(data)).size for data in seen.thumbnails]
    assert sizes == [(256, 192), (1024, 768)]
    assert (seen.width, seen.height, seen.frames) == (1600, 1200, 1)


def test_orientation_is_noted_as_stored_and_the_thumbnail_stands_upright(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    seen = decoder.thumbnails(picture("JPEG", (300, 200), exif=exif))
    assert (seen.width, seen.height, seen.orientation) == (300, 200, 6)
    assert Image.open(io.BytesIO(seen.thumbnails[1])).size == (200, 300)


def test_what_is_odd_about_a_picture_is_seen(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    scene = Image.linear_gradient("L").resize((300, 200))
    out = io.BytesIO()
    scene.convert("CMYK").save(out, "JPEG")
    whole = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(whole, "JPEG")
    assert decoder.thumbnails(picture("JPEG", exif=exif)).has_gps
    assert decoder.thumbnails(picture()).blank
    assert decoder.thumbnails(out.getvalue()).colour_mode == "CMYK"
    cut = decoder.thumbnails(whole.getvalue()[: len(whole.getvalue()) // 2])
    assert (cut.truncated, cut.blank, cut.has_gps, len(cut.thumbnails)) == (True, False, False, 2)
    assert not decoder.thumbnails(whole.getvalue()).truncated


def test_equal_scenes_have_near_perceptual_hashes(decoder: Decoder) -> None:
    gradient = Image.linear_gradient("L").rotate(90)
    hashes = []
    for fmt, size in (("PNG", (200, 200)), ("JPEG", (333, 300))):
        out = io.BytesIO()
        gradient.resize(size).convert("RGB").save(out, fmt)
        hashes.append(int(decoder.thumbnails(out.getvalue()).perceptual_hash, 16))
    assert (hashes[0] ^ hashes[1]).bit_count() <= 6


@pytest.mark.parametrize("data", [b"", b"nothing", b"<svg xmlns='x'/>", b"%!PS", b"II*\0" + bytes(50)])
def test_what_is_not_decoded_has_a_fixed_reason(decoder: Decoder, data: bytes) -> None:
    with pytest.raises(DecodeFailed, match=r"^image_undecodable$"):
        decoder.thumbnails(data)


def test_bombs_are_refused_or_fit_the_limits(decoder: Decoder, corpora: Path) -> None:
    """49.9 megapixels are over the cap of all formats but JPEG; nothing here may kill the child."""
    outcomes = {}
    for file in sorted((corpora / "generated-bombs").iterdir()):
        try:
            decoder.thumbnails(file.read_bytes())
            outcomes[file.name] = "made"
        except DecodeFailed as error:
            outcomes[file.name] = str(error)
    assert outcomes["webp_lossless_49.9MP.webp"] == outcomes["png_1bit_100MP.png"] == "image_too_large"
    assert outcomes["gif_3000_frames.gif"] == outcomes["jpeg_prog_49.9MP.jpg"] == "made"
    assert set(outcomes.values()) <= {"made", "image_too_large"}


def test_hostile_files_never_hurt_more_than_the_child(decoder: Decoder, corpora: Path) -> None:
    files = [path for name in ("pillow-hostile", "pngsuite") for path in (corpora / name).rglob("*") if path.is_file()]
    assert len(files) > 350
    for file in files:
        data = file.read_bytes()
        sniff(data)
        with suppress(DecodeFailed):
            decoder.thumbnails(data)
    assert decoder.thumbnails(picture()).width == 40


def test_a_child_that_dies_is_replaced(decoder: Decoder) -> None:
    decoder.look(picture())
    assert decoder._child is not None
    decoder._child.kill()
    decoder._child.wait()
    assert decoder.look(picture()).width == 40


def test_the_child_has_no_environment(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_SECRET_KEY", "canary")
    decoder.close()
    decoder.look(picture())
    assert decoder._child is not None
    assert b"canary" not in Path(f"/proc/{decoder._child.pid}/environ").read_bytes()


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "AVIF"])
def test_the_header_alone_tells_type_and_size(fmt: str) -> None:
    sniffed = sniff(picture(fmt, (123, 77)))
    assert sniffed is not None
    assert (sniffed.width, sniffed.height) == (123, 77)
    assert sniffed.media_type in DRAWN

"""A hostile picture costs a child process and nothing else."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from gateway.content.sniff import DRAWN, sniff
from gateway.pictures.decoder import DecodeFailed, Decoder
from tests.loupe import ROOT, until
from tests.pictures import picture, slow_jpeg


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP"])
def test_every_drawn_format_gives_two_upright_thumbnails(decoder: Decoder, fmt: str) -> None:
    drawn = picture(fmt, (1600, 1200))
    seen = decoder.thumbnail(drawn)
    sizes = [Image.open(io.BytesIO(data)).size for data in (seen.thumbnail, decoder.large_thumbnail(drawn))]
    assert sizes == [(256, 192), (1024, 768)]
    assert (seen.width, seen.height, seen.frames) == (1600, 1200, 1)


def test_a_long_picture_can_be_read_in_each_of_its_thumbnails(decoder: Decoder) -> None:
    """The small one is its beginning; the others are whole, half as wide as they might be, and longer than those of others."""
    top = (255, 0, 0)
    receipt = Image.new("RGB", (400, 9000), (0, 0, 255))
    receipt.paste(top, (0, 0, 400, 1000))
    out = io.BytesIO()
    receipt.save(out, "PNG")
    small = Image.open(io.BytesIO(decoder.thumbnail(out.getvalue()).thumbnail))
    assert small.size == (102, 256)
    assert small.getpixel((50, 250))[0] > 200  # type: ignore[index]
    sizes = [Image.open(io.BytesIO(decoder.large_thumbnail(out.getvalue(), size))).size for size in (1024, 2048)]
    assert sizes == [(364, 8192), (400, 9000)]


def test_orientation_is_noted_as_stored_and_the_thumbnail_stands_upright(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = picture("JPEG", (300, 200), exif=exif)
    seen = decoder.thumbnail(lying)
    assert (seen.width, seen.height, seen.orientation) == (300, 200, 6)
    assert Image.open(io.BytesIO(seen.thumbnail)).size == (171, 256)
    assert Image.open(io.BytesIO(decoder.large_thumbnail(lying))).size == (200, 300)


def test_what_is_odd_about_a_picture_is_seen(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    scene = Image.linear_gradient("L").resize((300, 200))
    out = io.BytesIO()
    scene.convert("CMYK").save(out, "JPEG")
    whole = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(whole, "JPEG")
    assert decoder.thumbnail(picture("JPEG", exif=exif)).has_gps
    assert decoder.thumbnail(picture()).blank
    assert decoder.thumbnail(out.getvalue()).colour_mode == "CMYK"
    cut = decoder.thumbnail(whole.getvalue()[: len(whole.getvalue()) // 2])
    assert (cut.truncated, cut.blank, cut.has_gps, bool(cut.thumbnail)) == (True, False, False, True)
    assert not decoder.thumbnail(whole.getvalue()).truncated


def test_equal_scenes_have_near_perceptual_hashes(decoder: Decoder) -> None:
    gradient = Image.linear_gradient("L").rotate(90)
    hashes = []
    for fmt, size in (("PNG", (200, 200)), ("JPEG", (333, 300))):
        out = io.BytesIO()
        gradient.resize(size).convert("RGB").save(out, fmt)
        hashes.append(int(decoder.thumbnail(out.getvalue()).perceptual_hash, 16))
    assert (hashes[0] ^ hashes[1]).bit_count() <= 6


@pytest.mark.parametrize("data", [b"", b"nothing", b"<svg xmlns='x'/>", b"%!PS", b"II*\0" + bytes(50)])
def test_what_is_not_decoded_has_a_fixed_reason(decoder: Decoder, data: bytes) -> None:
    with pytest.raises(DecodeFailed, match=r"^image_undecodable$"):
        decoder.thumbnail(data)


def test_bombs_are_refused_or_fit_the_limits(decoder: Decoder, corpora: Path) -> None:
    """49.9 megapixels are over the cap of all formats but JPEG; nothing here may kill the child."""
    outcomes = {}
    for file in sorted((corpora / "generated-bombs").iterdir()):
        try:
            decoder.thumbnail(file.read_bytes())
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
            decoder.thumbnail(data)
    assert decoder.thumbnail(picture()).width == 40


def test_a_child_that_dies_is_replaced(decoder: Decoder) -> None:
    decoder.look(picture())
    assert decoder.children[0].process is not None
    decoder.children[0].process.kill()
    decoder.children[0].process.wait()
    assert decoder.look(picture()).width == 40


def test_the_child_has_no_environment(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_SECRET_KEY", "canary")
    decoder.close()
    decoder.look(picture())
    assert decoder.children[0].process is not None
    assert b"canary" not in Path(f"/proc/{decoder.children[0].process.pid}/environ").read_bytes()


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "AVIF"])
def test_the_header_alone_tells_type_and_size(fmt: str) -> None:
    sniffed = sniff(picture(fmt, (123, 77)))
    assert sniffed is not None
    assert (sniffed.width, sniffed.height) == (123, 77)
    assert sniffed.media_type in DRAWN


REACH = """
import os, resource, socket, sys
sys.path.insert(0, {house!r})
from gateway.pictures.decode_child import _lock_down
held = _lock_down()
def tried(what, act):
    try:
        act()
        print(what, "succeeds")
    except BaseException as error:
        print(what, "fails", type(error).__name__)
tried("read", lambda: open({secret!r}, "rb").read())
tried("list", lambda: os.listdir("/"))
tried("write", lambda: open({folder!r} + "/new", "w"))
tried("connect", lambda: socket.create_connection(("127.0.0.1", {port}), 3))
tried("environ", lambda: open(f"/proc/{{os.getppid()}}/environ").read())
tried("fork", os.fork)
tried("exec", lambda: os.execv("/bin/true", ["true"]))
tried("kill", lambda: os.kill(os.getppid(), 0))
tried("raise", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
tried("root", lambda: os.setuid(0))
print(held)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what holds elsewhere is said in docs/security.md")
def test_a_child_that_is_taken_over_reaches_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret-key"
    secret.write_text("canary")
    tmp_path.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = REACH.format(house=str(ROOT), secret=str(secret), folder=str(tmp_path), port=server.getsockname()[1])
        done = subprocess.run([sys.executable, "-I", "-c", code], env={}, capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    assert len(said) == 11, done.stdout + done.stderr
    assert [line for line in said if "succeeds" in line] == []
    assert "no system calls but a few" in said[-1]
    assert not (tmp_path / "new").exists()


BUSY = """
import sys, threading
sys.path.insert(0, {house!r})
from gateway.pictures.decoder import Decoder
from tests.pictures import picture, slow_jpeg
made = Decoder()
made.look(picture())
threading.Thread(target=made.thumbnail, args=(slow_jpeg(20_000),), daemon=True).start()
print(made.children[0].process.pid, flush=True)
input()
"""


def test_a_child_that_is_busy_ends_with_whoever_started_it() -> None:
    code = BUSY.format(house=str(ROOT))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as parent:  # type: ignore[call-overload]
        child = Path(f"/proc/{int(parent.stdout.readline())}")
        until(lambda: int(child.joinpath("stat").read_text().rpartition(")")[2].split()[11]) > 20, "it is busy")
        parent.kill()
    until(lambda: not child.exists(), "the child is gone")


def test_a_picture_that_takes_too_long_is_said_to_and_holds_up_no_other_child() -> None:
    decoder, slow = Decoder(2), slow_jpeg(20_000)
    with ThreadPoolExecutor(1) as threads:
        taken = threads.submit(decoder.thumbnail, slow, seconds=5)
        assert decoder.thumbnail(picture()).width == 40
        assert not taken.done()
        with pytest.raises(DecodeFailed, match="decoder_took_too_long"):
            taken.result()
    decoder.close()


def test_a_child_outlives_the_thread_that_asked_first() -> None:
    decoder = Decoder()
    with ThreadPoolExecutor(1) as passing:
        passing.submit(decoder.look, picture()).result()
    first = decoder.children[0].process
    for _ in range(20):
        with ThreadPoolExecutor(1) as passing:
            assert passing.submit(decoder.look, picture()).result().width == 40
    assert decoder.children[0].process is first
    decoder.close()

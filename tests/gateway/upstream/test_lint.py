"""What is said of pictures before they are sent: what a vendor refuses, and what it sees otherwise than meant."""

from __future__ import annotations

import base64
import io
import json
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.content.image_headers import Header, in_base64, read_header
from gateway.errors import BadRequest
from gateway.providers.base import USUAL_IMAGES, Limits
from gateway.translation.media import read_media
from gateway.upstream.call import Call
from gateway.upstream.lint import Picture, check, check_size, picture_of, pictures_in, texts_in
from tests.pictures import data_url, picture

FRAMES = [Image.new("RGB", (20, 20), (shade, 0, 0)) for shade in (0, 90, 180)]


def call(refuse: bool = False, **limits: Any) -> Call:
    route = SimpleNamespace(wire=SimpleNamespace(limits=Limits(**limits)), provider=SimpleNamespace(title="Acme"))
    return cast("Call", SimpleNamespace(route=route, lint_refuses=refuse, warnings=[]))


def seen(data: bytes, declared: str = "") -> Picture:
    return Picture("picture 1", declared, len(data), read_header(lambda at, count: data[at : at + count]))


def moving(form: str, **save: Any) -> bytes:
    out = io.BytesIO()
    FRAMES[0].save(out, form, save_all=True, append_images=FRAMES[1:], **save)
    return out.getvalue()


def cmyk(**save: Any) -> bytes:
    out = io.BytesIO()
    Image.new("CMYK", (30, 20), (10, 20, 30, 40)).save(out, "JPEG", **save)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("declared", ["", "image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"])
def test_a_picture_declared_as_another_type_is_told_and_never_refused(form: str, declared: str) -> None:
    real = f"image/{form.lower()}"
    found = check([seen(picture(form), declared)], call(refuse=True))
    if declared in ("", real, real.replace("jpeg", "jpg")):
        assert found == []
    else:
        told = declared.replace("jpg", "jpeg")
        assert found == [f"picture 1: declared as {told}, but the bytes are {real}"]


def test_bytes_of_no_known_type_are_told() -> None:
    assert check([seen(b"nothing that is known", "image/png")], call()) == [
        "picture 1: the bytes are of no known image type"
    ]
    assert check([Picture("a link", "", 0, None)], call()) == []


MOVING = {
    "GIF, looped": (moving("GIF", loop=0), True),
    "GIF, once": (moving("GIF"), True),
    "GIF, still": (picture("GIF"), False),
    "WebP": (moving("WEBP"), True),
    "WebP, still": (picture("WEBP"), False),
    "WebP, still, extended": (picture("WEBP", exif=b"Exif\0\0"), False),
    "PNG": (moving("PNG"), True),
    "PNG, with a colour profile": (moving("PNG", icc_profile=bytes(range(256)) * 12), True),
    "PNG, still": (picture("PNG"), False),
}


@pytest.mark.parametrize("name", MOVING)
def test_a_moving_picture_is_told(name: str) -> None:
    data, moves = MOVING[name]
    assert (seen(data).header or Header()).animated is moves
    found = check([seen(data)], call(refuse=True))
    assert [line for line in found if "animated" in line] == found
    assert bool(found) is moves


CMYK_PROFILE = b"\0" * 12 + b"prtrCMYKLab " + bytes(600_000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(cmyk(), True), (cmyk(progressive=True), True), (cmyk(icc_profile=CMYK_PROFILE), True), (picture("JPEG"), False),
     (picture("JPEG", icc_profile=bytes(600_000)), False), (picture("JPEG", exif=b"Exif\0\0" + bytes(900)), False),
     (picture("PNG"), False), (b"", False), (b"\xff\xd8", False)],
)  # fmt: skip
def test_a_jpeg_for_print_is_told(data: bytes, expected: bool) -> None:
    if data:
        assert any("CMYK" in line for line in check([seen(data)], call(refuse=True))) is expected


REFUSED: dict[str, tuple[list[Picture], dict[str, Any], str]] = {
    "a format": ([seen(picture("BMP"))], {}, "picture 1: image/bmp is a format that Acme does not take"),
    "a format of few": (
        [seen(picture("GIF"))],
        {"formats": USUAL_IMAGES - {"image/gif"}},
        "picture 1: image/gif is a format that Acme does not take",
    ),
    "bytes": (
        [Picture("picture 1", "", 5_000_001, seen(picture()).header)],
        {"image_bytes": 5_000_000},
        "picture 1: 5.0 MB; Acme takes 5.0 MB a picture",
    ),
    "a side": ([seen(picture(size=(9, 8001)))], {"side": 8000}, "picture 1: 9 x 8001 pixels; Acme takes 8000 a side"),
    "pixels": (
        [seen(picture(size=(2000, 1000)))],
        {"pixels": 1_500_000},
        "picture 1: 2.0 megapixels; Acme takes 1.5",
    ),
    "too many": ([seen(picture())] * 3, {"images": 2}, "3 pictures; Acme takes 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_certain_to_be_refused_is_a_warning_or_an_error_as_the_caller_likes(name: str) -> None:
    pictures, limits, line = REFUSED[name]
    assert check(pictures, call(**limits)) == [line]
    with pytest.raises(BadRequest) as refused:
        check(pictures, call(refuse=True, **limits))
    assert refused.value.message == f"{line}. Send it without lint=refuse to try all the same."
    assert refused.value.error_code == "lint"


def test_at_the_limit_nothing_is_told() -> None:
    limits = {"images": 2, "image_bytes": 200, "side": 40, "pixels": 1200, "body_bytes": 1000}
    at_limit = [Picture("p", "image/png", 200, seen(picture()).header)] * 2
    one = call(refuse=True, **limits)
    assert check(at_limit, one) == []
    check_size(1000, one)
    assert one.warnings == []


def test_a_body_over_the_limit_is_told_or_refused() -> None:
    one = call(body_bytes=20_000_000)
    check_size(20_500_000, one)
    assert one.warnings == ["the body is 20.5 MB; Acme takes 20 MB"]
    with pytest.raises(BadRequest, match=r"20\.5 MB; Acme takes 20 MB\. Send smaller pictures, or links\."):
        check_size(20_500_000, call(refuse=True, body_bytes=20_000_000))


def noisy(form: str, size: int = 120) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((size, size), 90).convert("RGB").save(out, form)
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    forms=st.lists(st.sampled_from(["PNG", "JPEG", "GIF"]), min_size=1, max_size=3),
    url_safe=st.booleans(),
    escaped=st.booleans(),
    capitals=st.booleans(),
)
def test_pictures_in_a_body_that_goes_out_as_it_came_are_seen(
    forms: list[str], url_safe: bool, escaped: bool, capitals: bool
) -> None:
    datas = [noisy(form, 150) for form in forms]
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    heads = [f"data:image/{form.lower()};base64," for form in forms]
    urls = [
        (head.upper() if capitals else head) + encode(data).decode() for head, data in zip(heads, datas, strict=True)
    ]
    body = json.dumps({"messages": [{"content": [{"image_url": {"url": url}} for url in urls]}], "pad": "x" * 16_000})
    found = pictures_in((body.replace("/", "\\/") if escaped else body).encode())
    if not escaped:
        assert [abs(one.size - len(data)) < 4 for one, data in zip(found, datas, strict=True)] == [True] * len(datas)
        assert [one.header for one in found] == [seen(data).header for data in datas]
        assert check(found, call(refuse=True)) == []
        assert [one.name for one in found] == [f"picture {at + 1}" for at in range(len(forms))]


def test_slashes_that_are_escaped_hide_no_picture() -> None:
    """PHP writes every / as \\/, in data URLs too."""
    data = noisy("PNG", 150)
    body = json.dumps({"url": data_url(data), "pad": "x" * 16_000}).replace("/", "\\/").encode()
    (one,) = pictures_in(body)
    assert one.header == seen(data).header
    assert one.declared == "image/png"


def test_a_picture_of_a_translated_request_is_told_under_the_name_of_its_part() -> None:
    media = read_media({"image_url": data_url(picture("JPEG"), "image/png")}, "messages[2].content[1]")
    assert media is not None
    assert check([picture_of(media)], call()) == [
        "messages[2].content[1]: declared as image/png, but the bytes are image/jpeg"
    ]
    assert abs(picture_of(media).size - len(picture("JPEG"))) < 3


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP"]), st.integers(0, 40_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_header_reads_the_same_out_of_base64_as_out_of_the_file(form: str, padding: int, url_safe: bool) -> None:
    extra = {"JPEG": {"comment": b"x" * padding}, "PNG": {"icc_profile": bytes(padding)}}.get(form, {})
    data = picture(form, **extra)
    text = base64.urlsafe_b64encode(data) if url_safe else base64.b64encode(data)
    assert read_header(in_base64(lambda start, end: text[start:end])) == read_header(
        lambda at, count: data[at : at + count]
    )


def test_in_a_crowd_of_pictures_each_must_be_smaller() -> None:
    large = seen(picture(size=(2001, 10)))
    assert check([large] * 2, call(crowd=(2, 2000))) == []
    assert len(check([large] * 3, call(crowd=(2, 2000)))) == 3


PNG = picture("PNG", (40, 30))
BASE64 = base64.b64encode(PNG).decode()


def told(part: dict[str, Any]) -> list[str]:
    return check(pictures_in(json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode()), call())


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (
            {"image_url": {"url": f"data:application/octet-stream;base64,{BASE64}"}},
            "declared as application/octet-stream",
        ),
        (
            {"image_url": {"url": f"data:image/jpeg;base64,{BASE64}"}},
            "declared as image/jpeg, but the bytes are image/png",
        ),
        ({"image_url": {"url": f"data:;base64,{BASE64}"}}, "begin with data:image/png;base64,"),
        ({"image_url": {"url": BASE64}}, "no type is declared, but the bytes are image/png"),
        ({"type": "input_image", "image_url": BASE64}, "no type is declared"),
        ({"type": "text", "text": f"look: ![](data:image/png;base64,{BASE64}) nice"}, f"gets {len(BASE64)} characters"),
        ({"type": "text", "text": json.dumps([{"type": "image", "data": BASE64}])}, "stands in a text"),
        ({"type": "text", "text": BASE64}, "stands in a text"),
        ({"type": "text", "text": f"data:image/png;base64,{BASE64}"}, "stands in a text"),
    ],
)
def test_a_small_picture_is_looked_at_in_every_form(part: dict[str, Any], says: str) -> None:
    (line,) = told(part)
    assert says in line


@pytest.mark.parametrize(
    "part",
    [
        {"image_url": {"url": f"data:image/png;base64,{BASE64}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjQKJSVFT0Y="}},
        {
            "type": "input_audio",
            "input_audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA" * 2},
        },
        {"type": "text", "text": "data: base64, and iVBORw0KGgo are words"},
    ],
)
def test_what_is_as_it_should_be_is_not_told_of(part: dict[str, Any]) -> None:
    assert told(part) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF"]), st.randoms(), st.booleans())
def test_a_picture_is_seen_in_any_spelling_of_json(form: str, chance: random.Random, regular: bool) -> None:
    """The same function reads the base64 for the log, which has a test of every spelling."""
    data = picture(form)
    url = data_url(data, f"image/{form.lower()}")
    spelled = {char: chance.choice([char, f"\\u{ord(char):04x}", f"\\u{ord(char):04X}"]) for char in set(url)}
    text = "".join(spelled[char] if regular or chance.random() < 0.1 else char for char in url)
    (one,) = pictures_in(f'{{"content": [{{"image_url": {{"url": "{text}"}}}}]}}'.encode())
    assert (one.header, one.declared, one.characters) == (seen(data).header, f"image/{form.lower()}", 0)


def test_a_picture_in_a_text_of_a_translated_request_is_told() -> None:
    assert texts_in([("messages[0]", f"see data:image/png;base64,{BASE64}")])[0].startswith(
        "messages[0]: stands in a text"
    )

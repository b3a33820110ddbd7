"""Looks at the pictures of a request before it is sent: what the vendor is known to refuse, or to see otherwise than meant.

Findings are warnings: they go to the log and to the `x-loupe-warnings` header. One that means a certain refusal becomes an
error when the virtual key or the request says `lint: refuse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.content.image_headers import Cut, Header, in_base64, read_header
from gateway.content.json_text import long_strings
from gateway.errors import BadRequest
from gateway.providers.base import Limits
from gateway.translation.neutral import Media
from gateway.upstream.call import Call

FIRST_BYTES, ESCAPED_BYTES = 4 * 1024, 64 * 1024
SAME_TYPES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/heif": "image/heic"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one picture without decoding it. `size` is in bytes; no header for one behind a link."""

    name: str
    declared: str
    size: int
    header: Header | None


def picture_of(media: Media) -> Picture:
    header = read_header(in_base64(lambda start, end: media.base64[start:end].encode())) if media.base64 else None
    return Picture(media.position, media.declared, len(media.base64) * 3 // 4, header)


def pictures_in(body: bytes) -> list[Picture]:
    """The pictures that stand as data URLs in a JSON body, numbered as they come. Small ones are passed over."""
    found: list[Picture] = []
    for start, end in long_strings(body):
        if body[start : start + 10].lower() != b"data:image":
            continue
        comma = body.find(b",", start, start + 200)
        if comma < 0:
            continue
        declared = body[start + 5 : comma].decode("latin-1").replace("\\", "").partition(";")[0].lower()
        header = read_header(in_base64(_text_of(body, comma + 1, end)))
        found.append(Picture(f"picture {len(found) + 1}", declared, (end - comma) * 3 // 4, header))
    return found


def _text_of(body: bytes, start: int, end: int) -> Cut:
    """The base64 that stands there. Where slashes are escaped, offsets mean nothing, so the first part is taken out."""
    if b"\\" in body[start : start + FIRST_BYTES]:
        first = body[start : min(end, start + ESCAPED_BYTES)].replace(b"\\/", b"/")
        return lambda at, stop: first[at:stop]
    return lambda at, stop: body[start + at : min(start + stop, end)]


def check(pictures: Sequence[Picture], call: Call) -> list[str]:
    """The warnings for these pictures.

    Raises:
        BadRequest: one of them is certain to be refused, and the caller wants to know that before.
    """
    limits, vendor = call.route.wire.limits, call.route.provider.title
    certain = [line for picture in pictures for line in _refusals(picture, limits, vendor)]
    if limits.images is not None and len(pictures) > limits.images:
        certain.append(f"{len(pictures)} pictures; {vendor} takes {limits.images}")
    if limits.crowd is not None and len(pictures) > limits.crowd[0]:
        count, side = limits.crowd
        certain += [
            f"{picture.name}: more than {side} pixels a side; {vendor} takes no larger ones when there are more than {count}"
            for picture in pictures
            if picture.header and max(picture.header.width or 0, picture.header.height or 0) > side
        ]
    if certain and call.lint_refuses:
        raise BadRequest(f"{'. '.join(certain)}. Send it without lint=refuse to try all the same.", code="lint")
    return certain + [line for picture in pictures for line in _oddities(picture)]


def check_size(size: int, call: Call) -> None:
    limit, vendor = call.route.wire.limits.body_bytes, call.route.provider.title
    if limit is None or size <= limit:
        return
    line = f"the body is {size / 1e6:.1f} MB; {vendor} takes {limit / 1e6:.0f} MB"
    if call.lint_refuses:
        raise BadRequest(f"{line}. Send smaller pictures, or links.", code="lint")
    call.warnings.append(line)


def _refusals(picture: Picture, limits: Limits, vendor: str) -> list[str]:
    header = picture.header or Header()
    found = []
    if header.media_type.startswith("image/") and header.media_type not in limits.formats:
        found.append(f"{picture.name}: {header.media_type} is a format that {vendor} does not take")
    if limits.image_bytes is not None and picture.size > limits.image_bytes:
        found.append(
            f"{picture.name}: {picture.size / 1e6:.1f} MB; {vendor} takes {limits.image_bytes / 1e6:.1f} MB a picture"
        )
    width, height = header.width or 0, header.height or 0
    if limits.side is not None and max(width, height) > limits.side:
        found.append(f"{picture.name}: {width} x {height} pixels; {vendor} takes {limits.side} a side")
    if limits.pixels is not None and width * height > limits.pixels:
        found.append(f"{picture.name}: {width * height / 1e6:.1f} megapixels; {vendor} takes {limits.pixels / 1e6:.1f}")
    return found


def _oddities(picture: Picture) -> list[str]:
    header, declared = picture.header, SAME_TYPES.get(picture.declared, picture.declared)
    if header is None:
        return []
    found = []
    if not header.media_type:
        found.append(f"{picture.name}: the bytes are of no known image type")
    elif declared and declared != header.media_type:
        found.append(f"{picture.name}: declared as {declared}, but the bytes are {header.media_type}")
    if header.animated:
        found.append(f"{picture.name}: animated; a model sees its first frame, or the vendor refuses it")
    if header.cmyk:
        found.append(f"{picture.name}: a CMYK JPEG; colours may be seen wrong, save it as RGB")
    return found

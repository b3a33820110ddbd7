"""Looks at the pictures of a request before it is sent: what the vendor is known to refuse, or to see otherwise than meant.

Findings are warnings: they go to the log and to the `x-loupe-warnings` header. One that means a certain refusal becomes an
error when the virtual key or the request says `lint: refuse`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.content import multipart
from gateway.content.base64_text import beginning, end_of_run
from gateway.content.file_places import Place, Scanner, at_a_glance
from gateway.content.image_headers import Cut, Header, in_base64, read_header
from gateway.errors import BadRequest
from gateway.providers.base import Limits
from gateway.translation.neutral import Media
from gateway.upstream.call import Call

SHORTEST_BARE, LONGEST_KEY = 64, 80
# What stands before a picture that is all of its string, the string of a URL, or that of a text. A quote behind a
# backslash belongs to JSON that is itself a text.
OWN_STRING = re.compile(rb'(?<!\\)"\s*\Z')
URL_KEY = re.compile(rb'"(?:url|image_url|file_data)"\s*:\s*"\s*\Z')
TEXT_KEY = re.compile(rb'"(?:text|content|arguments|output|instructions|input)"\s*:\s*"\s*\Z')
SAME_TYPES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/heif": "image/heic"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one picture without decoding it. `size` is in bytes; no header for one behind a link.

    `untyped` when its type is not told where it must be, in front of the base64. `characters` are those that the model
    gets of one that stands in a text, where it is none for the model.
    """

    name: str
    declared: str
    size: int
    header: Header | None
    untyped: bool = False
    characters: int = 0


def picture_of(media: Media) -> Picture:
    header = read_header(in_base64(lambda start, end: media.base64[start:end].encode())) if media.base64 else None
    return Picture(media.position, media.declared, len(media.base64) * 3 // 4, header)


def pictures_in(body: bytes, boundary: bytes | None = None) -> list[Picture]:
    """The pictures of a form, or of a JSON body in every form that the log knows, numbered as they come."""
    if boundary is not None:
        return [_of_form(body, part) for part in multipart.parts(body, boundary) if part.filename is not None]
    found: list[Picture] = []
    for place in at_a_glance(body):
        picture = _of_place(body, place, f"picture {len(found) + 1}")
        if picture:
            found.append(picture)
    return found


def texts_in(texts: Sequence[tuple[str, str]]) -> list[str]:
    """The warnings for pictures that stand in texts, each given with its position: the model gets characters."""
    found = []
    for position, text in texts:
        body = text.encode("utf-8", "replace")
        for place in Scanner(body).all() if len(body) >= SHORTEST_BARE else ():
            picture = _of_place(body, place, position)
            if picture:
                found += _in_text(replace(picture, characters=picture.characters or len(body)))
    return found


def _of_form(body: bytes, part: multipart.Part) -> Picture:
    header = read_header(lambda at, count: body[part.start + at : min(part.start + at + count, part.end)])
    return Picture(part.name, part.content_type, part.end - part.start, header)


def _of_place(body: bytes, place: Place, name: str) -> Picture | None:
    """None for what turns out to be no picture: a PDF, a sound, or words that begin as pictures do."""
    end = body.find(b'"', place.start)
    end = len(body) if end < 0 else end
    if not place.is_base64 or (end - place.start < SHORTEST_BARE and place.url_at < 0):
        return None
    header = read_header(in_base64(_text_of(body, place.start, end)))
    is_picture = header.media_type.startswith("image/")
    if not is_picture and (header.media_type or not place.declared.startswith("image/")):
        return None
    opening = place.url_at if place.url_at >= 0 else place.start
    before = body[max(0, opening - LONGEST_KEY) : opening]
    in_text = OWN_STRING.search(before) is None or TEXT_KEY.search(before) is not None
    size = (end_of_run(body, place.start, end) if in_text else end) - place.start
    untyped = not place.declared and (place.url_at >= 0 or URL_KEY.search(before) is not None)
    return Picture(name, place.declared, size * 3 // 4, header, untyped, size if in_text else 0)


def _text_of(body: bytes, start: int, end: int) -> Cut:
    """The base64 that stands there. Where it is spelled in an odd way, offsets mean nothing, so the first part is read out."""
    first = beginning(body, start, end)
    if first is not None:
        return lambda at, stop: first[at:stop]
    return lambda at, stop: body[start + at : min(start + stop, end)]


def check(pictures: Sequence[Picture], call: Call) -> list[str]:
    """The warnings for these pictures.

    Raises:
        BadRequest: one of them is certain to be refused, and the caller wants to know that before.
    """
    limits, vendor = call.route.wire.limits, call.route.provider.title
    texts = [line for picture in pictures for line in _in_text(picture)]
    pictures = [picture for picture in pictures if not picture.characters]
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
    return certain + [line for picture in pictures for line in _oddities(picture)] + texts


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


def _in_text(picture: Picture) -> list[str]:
    if not picture.characters:
        return []
    return [
        f"{picture.name}: stands in a text: the model gets {picture.characters:,} characters of base64, not a picture. "
        "Send it as an image part"
    ]


def _oddities(picture: Picture) -> list[str]:
    header, declared = picture.header, SAME_TYPES.get(picture.declared, picture.declared)
    if header is None:
        return []
    found = []
    if not header.media_type:
        found.append(f"{picture.name}: the bytes are of no known image type")
    elif picture.untyped:
        prefix = f"data:{header.media_type};base64,"
        found.append(f"{picture.name}: no type is declared, but the bytes are {header.media_type}: begin with {prefix}")
    elif declared and declared != header.media_type:
        found.append(f"{picture.name}: declared as {declared}, but the bytes are {header.media_type}")
    if header.animated:
        found.append(f"{picture.name}: animated; a model sees its first frame, or the vendor refuses it")
    if header.cmyk:
        found.append(f"{picture.name}: a CMYK JPEG; colours may be seen wrong, save it as RGB")
    return found

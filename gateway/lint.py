"""Looks at the pictures of a request before it is sent: what the vendor is known to refuse, or to see otherwise than meant.

Findings are warnings: they go to the log and to the `x-loupe-warnings` header. One that means a certain refusal becomes an
error when the virtual key or the request says `lint: refuse`.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.call import Call
from gateway.errors import BadRequest
from gateway.jsonedit import long_strings
from gateway.providers.base import Limits
from gateway.sniff import Sniffed, sniff
from gateway.translation.media import head_of
from gateway.translation.neutral import Media

HEAD_BASE64 = 64 * 1024
STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
SAME_TYPES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/heif": "image/heic"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one picture without decoding it. `size` is in bytes; `head` are the first of them."""

    name: str
    declared: str
    size: int
    head: bytes

    @property
    def sniffed(self) -> Sniffed | None:
        return sniff(self.head)


def picture_of(media: Media) -> Picture:
    return Picture(media.position, media.declared, len(media.base64) * 3 // 4, head_of(media) if media.base64 else b"")


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
        head = _decoded(body[comma + 1 : min(end, comma + 1 + HEAD_BASE64)])
        found.append(Picture(f"picture {len(found) + 1}", declared, (end - comma) * 3 // 4, head))
    return found


def check(pictures: Sequence[Picture], call: Call) -> list[str]:
    """The warnings for these pictures.

    Raises:
        BadRequest: one of them is certain to be refused, and the caller wants to know that before.
    """
    limits, vendor = call.route.wire.limits, call.route.provider.title
    certain = [line for picture in pictures for line in _refusals(picture, limits, vendor)]
    if limits.images is not None and len(pictures) > limits.images:
        certain.append(f"{len(pictures)} pictures; {vendor} takes {limits.images}")
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
    sniffed = picture.sniffed
    found = []
    if sniffed and sniffed.media_type.startswith("image/") and sniffed.media_type not in limits.formats:
        found.append(f"{picture.name}: {sniffed.media_type} is a format that {vendor} does not take")
    if limits.image_bytes is not None and picture.size > limits.image_bytes:
        found.append(
            f"{picture.name}: {picture.size / 1e6:.1f} MB; {vendor} takes {limits.image_bytes / 1e6:.1f} MB a picture"
        )
    if sniffed and sniffed.width and sniffed.height:
        width, height = sniffed.width, sniffed.height
        if limits.side is not None and max(width, height) > limits.side:
            found.append(f"{picture.name}: {width} x {height} pixels; {vendor} takes {limits.side} a side")
        if limits.pixels is not None and width * height > limits.pixels:
            found.append(
                f"{picture.name}: {width * height / 1e6:.1f} megapixels; {vendor} takes {limits.pixels / 1e6:.1f}"
            )
    return found


def _oddities(picture: Picture) -> list[str]:
    sniffed, declared = picture.sniffed, SAME_TYPES.get(picture.declared, picture.declared)
    found = []
    if picture.head and sniffed is None:
        found.append(f"{picture.name}: the bytes are of no known image type")
    elif sniffed and declared and declared != sniffed.media_type:
        found.append(f"{picture.name}: declared as {declared}, but the bytes are {sniffed.media_type}")
    if is_animated(picture.head):
        found.append(f"{picture.name}: animated; a model sees its first frame, or the vendor refuses it")
    if is_cmyk(picture.head):
        found.append(f"{picture.name}: a CMYK JPEG; colours may be seen wrong, save it as RGB")
    return found


def is_animated(head: bytes) -> bool:
    """GIF with a second frame or a loop, WebP with the animation flag (RFC 9649), PNG with `acTL` (PNG 3rd edition)."""
    if head.startswith(b"GIF8"):
        return b"NETSCAPE2.0" in head or head.count(b"\x21\xf9\x04") > 1
    if head[:4] == b"RIFF" and head[12:16] == b"VP8X":
        return bool(head[20:21] and head[20] & 0x02)
    return head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]


def is_cmyk(head: bytes) -> bool:
    """A JPEG whose frame header counts four components (ITU-T T.81, B.2.2)."""
    at = 2
    while head.startswith(b"\xff\xd8") and at + 10 <= len(head) and head[at] == 0xFF:
        marker, (length,) = head[at + 1], struct.unpack_from(">H", head, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return head[at + 9] == 4
        if head.startswith(b"ICC_PROFILE\0", at + 4) and head[at + 34 : at + 38] == b"CMYK":
            return True  # the profiles of such pictures are so long that the frame header is out of sight
        at += 2 + length
    return False


def _decoded(text: bytes) -> bytes:
    text = text.replace(b"\\/", b"/").translate(STANDARD_ALPHABET)
    try:
        return base64.b64decode(text[: len(text) - len(text) % 4])
    except (binascii.Error, ValueError):
        return b""

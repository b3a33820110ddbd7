"""User bytes over HTTP, with the exact headers of reference/security.md C6. Rights are checked by the caller, on the log row."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified

from gateway.content.sniff import DRAWN
from gateway.models import Image
from gateway.pictures import blobs, thumbnails
from gateway.pictures.decoder import Decoder

SANDBOX_POLICY = "default-src 'none'; sandbox"
CACHE_YEAR = "private, max-age=31536000, immutable"
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_decoder = Decoder(2)


def original(request: HttpRequest, image: Image) -> HttpResponse:
    """The bytes as they were: shown in place for the types that are drawn, a download for every other."""
    if request.headers.get("if-none-match") == f'"{image.sha256}"':
        return HttpResponseNotModified()
    try:
        data = blobs.get(image.sha256)
    except blobs.BlobMissing:
        raise Http404("The bytes of this image are not in the blob store any more.") from None
    if image.media_type in DRAWN:
        response = _response(data, image.media_type, f'inline; filename="{_name(image)}"', CACHE_YEAR)
    else:
        response = _response(data, "application/octet-stream", f'attachment; filename="{_name(image)}"', "no-store")
    response["ETag"] = f'"{image.sha256}"'
    response["Accept-Ranges"] = "bytes"
    return _ranged(request, response, data)


def linked(image: Image) -> HttpResponse | None:
    """The way to the store itself, where it gives out its files; whoever has the address needs no key, for a while."""
    address = blobs.link(image.sha256) if image.removed_at is None else None
    if address is None:
        return None
    return HttpResponse(status=302, headers={"Location": address, "Cache-Control": "no-store"})


def _ranged(request: HttpRequest, response: HttpResponse, data: bytes) -> HttpResponse:
    """The one stretch of bytes that was asked for (RFC 9110, 14.2); everything when the header asks for something else."""
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if not asked or not (asked[1] or asked[2]):
        return response
    start = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[2]))
    end = min(int(asked[2]) if asked[1] and asked[2] else len(data) - 1, len(data) - 1)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    response.status_code, response.content = 206, data[start : end + 1]
    response["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return response


def download(data: bytes, name: str) -> HttpResponse:
    """Bytes of a user as a file that no browser opens in place."""
    response = _response(data, "application/octet-stream", f'attachment; filename="{name}"', "no-store")
    return response


def thumbnail(request: HttpRequest, image: Image, size: int) -> HttpResponse:
    """The WebP at most `size` pixels long, made now if the worker has not come to it."""
    if size not in blobs.THUMBNAIL_SIZES:
        raise Http404(f"Thumbnails are {' or '.join(map(str, blobs.THUMBNAIL_SIZES))} pixels.")
    try:
        data = thumbnails.found_or_made(image, size, _decoder)
    except blobs.BlobMissing:
        why = "not now, too many others are being made" if image.drawn else "this type is not drawn"
        raise Http404(f"There is no thumbnail: {image.thumbnail_problem or why}.") from None
    return _response(data, "image/webp", f'inline; filename="{image.sha256[:12]}.webp"', CACHE_YEAR)


def cross_site(request: HttpRequest) -> bool:
    """Whether another site asks, by the browser's own word."""
    return request.headers.get("sec-fetch-site", "same-origin") == "cross-site"


def _name(image: Image) -> str:
    known = image.media_type in DRAWN
    return f"{image.sha256[:12]}.{image.media_type.partition('/')[2] if known else 'bin'}"


def _response(data: bytes, media_type: str, disposition: str, cache: str) -> HttpResponse:
    return HttpResponse(
        data,
        content_type=media_type,
        headers={
            "Content-Disposition": disposition,
            "Content-Security-Policy": SANDBOX_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": cache,
            "Vary": "Cookie",
        },
    )

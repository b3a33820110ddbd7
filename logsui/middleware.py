"""Headers of every page (a strict policy, nothing from elsewhere, nothing in a frame, nothing kept, where its time went), pages
made small for the way, and static files.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from gateway.timings import measured

GetResponse = Callable[[HttpRequest], HttpResponseBase]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


def page_headers(get_response: GetResponse) -> GetResponse:
    def add(request: HttpRequest) -> HttpResponseBase:
        with measured() as timings:
            response = get_response(request)
        if hasattr(request, "membership"):  # how long something took is for members to know
            response.headers["Server-Timing"] = timings.header
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Frame-Options", "DENY")
        if not request.path.startswith(settings.STATIC_URL):
            response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response

    return add


class CompressedPages(GZipMiddleware):
    """Pages go out a tenth as large. Files do not: pictures are as small as they get, and style sheets are packed already.

    Against guessing a page's secrets from its length (BREACH) Django pads what it compresses, and masks its tokens anew.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


def whole_files(get_response: GetResponse) -> GetResponse:
    """Static files in one piece: they are small, and under ASGI Django complains of WhiteNoise's synchronous stream."""

    def read(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not isinstance(response, StreamingHttpResponse) or not request.path.startswith(settings.STATIC_URL):
            return response
        content = b"".join(response)
        response.close()
        return HttpResponse(content, status=response.status_code, headers=dict(response.items()))

    return read

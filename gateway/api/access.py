"""Who may ask the API: by gateway key and scope. Refusals and failures are told in the shape that SDKs read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.defaults import server_error

from gateway.content.json_text import parse
from gateway.errors import BadRequest, Forbidden, GatewayError, NotFound, NotRecorded, Unauthorized
from gateway.faults import Away
from gateway.ids import uuid7
from gateway.keys import vault
from gateway.models import ApiKey
from gateway.proxy.answer_headers import own_headers
from gateway.proxy.call_options import read_call_options

log = logging.getLogger(__name__)

View = Callable[..., HttpResponse]


def with_key(scope: str, *methods: str) -> Callable[[View], View]:
    """Authenticate by gateway key; pass workspace and key on; tell refusals in the shape that SDKs read."""

    def decorate(view: View) -> View:
        def checked(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            try:
                _check_method(request, methods)
                key = _key(request, scope)
                response = view(request, key.workspace, key, **kwargs)
            except GatewayError as error:
                response = _refusal(error)
            except Http404 as error:
                response = _refusal(NotFound(str(error)))
            except DatabaseError:
                log.exception("the logs could not be read")
                response = _refusal(
                    NotRecorded("The database does not answer; the gateway itself goes on.", code="no_database")
                )
            except Away as error:
                log.exception("a picture could not be read")
                response = _refusal(NotRecorded(f"{str(error)[:1].upper()}{str(error)[1:]}.", code="no_store"))
            return _with_own_headers(response)

        return csrf_exempt(checked)  # a key is not sent by a browser on its own

    return decorate


def by_method(**views: Any) -> Any:
    """One address, a view for each method, each with a scope of its own."""

    def chosen(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        view = views.get(request.method or "", next(iter(views.values())))
        return view(request, **kwargs)  # type: ignore[no-any-return]

    return csrf_exempt(chosen)  # a key is not sent by a browser on its own


def json_body(request: HttpRequest) -> dict[str, Any]:
    try:
        given = parse(request.body or b"{}")
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(given, dict):
        raise BadRequest("The body must be a JSON object.", code="invalid_body")
    return given


def failed(request: HttpRequest) -> HttpResponse:
    """Whatever Django could not answer: JSON under /v1, a page elsewhere."""
    if isinstance(sys.exception(), Away):
        return render(request, "503.html", {"why": str(sys.exception())}, status=503)
    if request.path_info.startswith("/v1/"):
        return _with_own_headers(_refusal(GatewayError("Loupe failed on this request; its own log has the details.")))
    return server_error(request)


def _check_method(request: HttpRequest, methods: Collection[str]) -> None:
    if request.method not in methods:
        wanted = " or ".join(method for method in methods if method != "HEAD")
        raise BadRequest(f"{request.path[:200]} takes {wanted}, not {request.method}.", code="method_not_allowed")


def _refusal(error: GatewayError) -> HttpResponse:
    return HttpResponse(error.body(), status=error.status, content_type="application/json")


def _with_own_headers(response: HttpResponse) -> HttpResponse:
    id = uuid7()
    for name, value in own_headers(id, str(id), "loupe"):
        response[name] = value
    return response


def _key(request: HttpRequest, scope: str) -> ApiKey:
    key = read_call_options({name.lower(): value for name, value in request.headers.items()}).gateway_key
    row = ApiKey.objects.live().filter(digest=vault.digest(key)).select_related("workspace").first() if key else None
    if row is None:
        raise Unauthorized("This needs a live gateway key in x-portkey-api-key or Authorization: Bearer.")
    if scope not in row.scopes or (row.expires_at and row.expires_at < timezone.now()):
        raise Forbidden(f"The gateway key lacks the scope {scope}.", code="missing_scope")
    return row

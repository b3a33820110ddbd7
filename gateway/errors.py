"""What Loupe itself answers when a call cannot be done.

    GatewayError
    ├── BadRequest        400  the caller's request is wrong; says where and how to mend it
    ├── Unauthorized      401  no key, or one that is not known
    ├── Forbidden         403  the key lacks a scope, or a setting forbids it
    ├── NotFound          404  no such slug, log or path
    ├── TooSlow           408  a time-out, ours or the one the caller asked for
    ├── TooLarge          413  body over the limit
    ├── UnsupportedType   415  a content type that the endpoint does not take
    ├── Overloaded        429  too much in flight; carries Retry-After
    ├── HeadersTooLarge   431
    ├── UpstreamFailed    502  the provider was not reached, or broke off its answer
    ├── NotRecorded       503  the journal is full or failing, or the gateway is not ready
    └── UpstreamSilent    504  the provider was too slow to connect or fell silent

A provider's own 4xx or 5xx is not an error in this sense: it is a finished exchange with that status.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class GatewayError(Exception):
    """An answer of Loupe's own. `message` names the cause and the cure."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "gateway_error"
    code: ClassVar[str] = "gateway_error"
    retry_after: ClassVar[int | None] = None

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.param = param

    def body(self, provider: str = "loupe") -> bytes:
        return error_body(self.message, type=self.type, code=self.error_code, param=self.param, provider=provider)


class BadRequest(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "bad_request"


class Unauthorized(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class TooSlow(GatewayError):
    status = 408
    type = "timeout_error"
    code = "timeout"


class TooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class UnsupportedType(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_content_type"


class Overloaded(GatewayError):
    status = 429
    type = "overloaded_error"
    code = "gateway_overloaded"
    retry_after = 1


class HeadersTooLarge(GatewayError):
    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"


class UpstreamFailed(GatewayError):
    status = 502
    type = "upstream_error"
    code = "upstream_failed"


class NotRecorded(GatewayError):
    status = 503
    type = "gateway_error"
    code = "not_recorded"
    retry_after = 5


class UpstreamSilent(GatewayError):
    status = 504
    type = "timeout_error"
    code = "upstream_silent"


def error_body(
    message: str, *, type: str, code: str | None, param: str | None = None, provider: str = "loupe"
) -> bytes:
    """The combined shape that OpenAI's and Portkey's SDKs both read (reference/portkey.md A6)."""
    error = {"message": message, "type": type, "param": param, "code": code}
    return msgspec.json.encode({"error": error, "message": message, "provider": provider, "status": "failure"})


def unexpected(error: Exception) -> GatewayError:
    """A failure of our own, told without its words: they may hold anything."""
    return GatewayError(
        f"Loupe failed on this request ({type(error).__name__}). The server's own log has the details; please report it.",
        code="internal_error",
    )

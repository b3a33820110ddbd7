"""From a request that was read to a call that can be sent: its route, the few changes to its body, its headers, its record."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus, urlencode

import msgspec

from gateway import dialects
from gateway.content import multipart, redaction
from gateway.content.json_edit import Edit, Path, apply, edit_of_only, edits_for, has_string_value
from gateway.content.json_text import Outline, TooManyValues, parse
from gateway.content.plain_text import clean_text
from gateway.dialects import OPENAI
from gateway.dialects.head import Head, head_of_form, head_of_json, usage_edits
from gateway.errors import BadRequest, NotFound, UnsupportedType
from gateway.ids import time_of
from gateway.keys.in_memory import KeyHolder, KeysInMemory
from gateway.network.request_head import HeaderList
from gateway.providers.base import Provider
from gateway.proxy.answer_headers import HOP_HEADERS
from gateway.proxy.call_options import CallOptions
from gateway.proxy.model_path import ModelPath
from gateway.proxy.routing import check_model, route
from gateway.translation import images
from gateway.translation.neutral import Request
from gateway.translation.translator import READ, translates
from gateway.upstream.call import Call, Message
from gateway.upstream.credentials import plain_headers
from gateway.upstream.route import Route

log = logging.getLogger(__name__)

FORWARDED = frozenset(
    [
        "content-type",
        "content-encoding",
        "accept",
        "openai-organization",
        "openai-project",
        "openai-beta",
        "idempotency-key",
        "anthropic-version",
        "anthropic-beta",
        "x-goog-upload-protocol",
        "x-goog-upload-command",
        "x-goog-upload-offset",
        "x-goog-upload-file-name",
        "x-goog-upload-header-content-length",
        "x-goog-upload-header-content-type",
    ]
)
NEVER_FORWARDED = HOP_HEADERS | frozenset(
    [
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "api-key",
        "host",
        "content-length",
        "cookie",
        "expect",
        "accept-encoding",
    ]
)
MULTIPART_ENDPOINTS = frozenset({"/images/edits", "/images/variations"})
MODEL_OPTIONAL = MULTIPART_ENDPOINTS | {"/images/generations"}
USER_AGENT = "loupe/0.1"
LARGE_BYTES, MANY_VALUES = 256 * 1024, 10_000
VIRTUAL_KEY = "x-portkey-virtual-key"
HOPS, MOST_HOPS = "x-loupe-hops", 1
WIRE_ENDPOINT = "/chat/completions"
INLINED = frozenset({"/chat/completions", "/responses"})
LOUPE = Provider(name="loupe", title="Loupe", needs_secret=False, built_in=True)


class Inbound:
    """A request that is read, on its way to becoming a call."""

    def __init__(
        self,
        id: uuid.UUID,
        endpoint: str,
        scope: Message,
        headers: dict[str, str],
        options: CallOptions,
        holder: KeyHolder,
        body: bytes,
        arrived: float,
    ) -> None:
        self.id, self.endpoint, self.headers, self.options, self.holder = id, endpoint, headers, options, holder
        self.body, self.arrived = body, arrived
        self.method: str = scope["method"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.version: str = scope.get("version", "")
        self.scheme = headers.get("x-forwarded-proto") or scope.get("scheme", "http")
        self.dialect = dialects.for_endpoint(endpoint) if self.method == "POST" else None
        self.trace_id = options.trace_id or str(id)
        self.model, self.stream, self.user, self.fallbacks = "", False, "", list[str]()
        self.stored_prompt = self.is_named_outside = self.wants_usage = False
        self.deployment = clean_text(scope.get("deployment", ""), 200)
        self.boundary: bytes | None = None
        self.named_in_path = ModelPath.of(endpoint)
        self.prompt: dict[str, Any] = {}

    def of_prompt(self, body: bytes, about: dict[str, Any]) -> Inbound:
        """The chat call that a prompt was rendered to, in the place of the call of the prompt."""
        self.endpoint, self.body, self.prompt = WIRE_ENDPOINT, body, about
        self.dialect = dialects.CHAT
        self.headers = self.headers | {"content-type": "application/json"}
        return self

    @property
    def hops(self) -> int:
        """Through how many Loupes it came."""
        text = self.headers.get(HOPS, "")
        return int(text) if text.isdecimal() and len(text) < 4 else 0

    def call(self, keys: KeysInMemory, custom_hosts: Collection[str]) -> Call:
        """Raises GatewayError when it cannot be sent on."""
        if self.hops > MOST_HOPS:
            raise BadRequest(
                "The call came through Loupe more than once: a virtual key names this Loupe as its provider.",
                code="loop",
            )
        self._read_head()
        if self._needs_model and not (self.options.provider or self.options.virtual_key):
            check_model(self.model, self.endpoint)
        way = self._route(keys, custom_hosts)
        if self._needs_model and not way.setting("deployment_id"):
            check_model(self.model, self.endpoint)
        if self.named_in_path:
            self.endpoint = self.named_in_path.renamed(way.model)
        request = self._request(way)
        if request is not None:
            return self._call(way, [], b"", request=request)
        edits = self._edits(way) + (usage_edits(self.body) if self._adds_usage(way) else [])
        call = self._call(way, edits, apply(self.body, edits))
        call.hides_usage = self._adds_usage(way)
        call.own_upload = self._own_upload(way)
        return call

    @property
    def _needs_model(self) -> bool:
        """A stored prompt has a model of its own, and drawing a default; so has a virtual key of one Azure deployment."""
        asks = self.method == "POST" and self.endpoint in OPENAI and self.endpoint not in MODEL_OPTIONAL
        return asks and not self.stored_prompt

    @property
    def takes_long(self) -> bool:
        """Whether reading the body would hold up other calls."""
        return len(self.body) > LARGE_BYTES and self.outline.values > MANY_VALUES

    @cached_property
    def outline(self) -> Outline:
        return Outline.of(self.body)

    def refused(self) -> Call:
        return self._call(Route(LOUPE, "", self.model), [], b"")

    def _request(self, way: Route) -> Request | None:
        """What the body means, when the provider does not speak the caller's format."""
        if self.method != "POST" or self.endpoint not in OPENAI:
            return None
        chat = way.wire.dialect == "chat"
        if chat and (self.endpoint not in INLINED or self.endpoint in way.provider.speaks):
            return None
        if not translates(self.endpoint, way.wire.dialect):
            known = [f"/v1{endpoint}" for endpoint in READ if translates(endpoint, way.wire.dialect)]
            raise NotFound(
                f"{way.provider.title} has no {self.endpoint} that Loupe knows. It answers {' and '.join(known)}.",
                code="unsupported_endpoint",
            )
        try:
            doc = images.form(self.body, self.boundary) if self.boundary else parse(self.body)
            return READ[self.endpoint](doc, way.model)
        except ValueError as error:
            raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from None

    def _route(self, keys: KeysInMemory, custom_hosts: Collection[str]) -> Route:
        options = self.options
        names_provider = options.provider or options.virtual_key or self.model.startswith("@")
        if self.endpoint.startswith("/models") and self.method == "GET" and not names_provider:
            return Route(LOUPE, f"/{self.holder.workspace}/{self.holder.id}", "")
        return route(options, self.model, keys.targets_of(self.holder.workspace), custom_hosts)

    def _read_head(self) -> None:
        content_type = self.headers.get("content-type", "")
        self.boundary = multipart.boundary_of(content_type)
        if self.boundary and (not self.dialect or self.endpoint in MULTIPART_ENDPOINTS):
            self._take(head_of_form(self.body, self.boundary))
        elif self.dialect:
            if "json" not in content_type.lower():
                raise UnsupportedType(
                    f"POST /v1{self.endpoint} takes content-type application/json"
                    f"{' or multipart/form-data' if self.endpoint in MULTIPART_ENDPOINTS else ''}, not {content_type[:80]!r}."
                )
            self._take(head_of_json(self.body))
            self._read_path()
        elif self.body and "json" in content_type.lower():
            try:
                self._take(head_of_json(self.body))
            except BadRequest as error:
                log.debug("passed on as it is: %s", error)

    def _read_path(self) -> None:
        """Google's and Amazon's own paths name the model, and whether the answer is to be streamed."""
        if self.named_in_path:
            self.model = clean_text(self.named_in_path.model, 200)
            self.stream = self.stream or self.named_in_path.method.startswith("stream") or "-stream" in self.endpoint

    def _take(self, head: Head) -> None:
        self.model, self.stream, self.user = head.model or self.deployment, head.stream is True, head.user_name
        self.fallbacks = head.fallbacks
        self.wants_usage = isinstance(head.stream_options, dict) and head.stream_options.get("include_usage") is True
        self.is_named_outside = not head.model and bool(self.deployment)
        self.stored_prompt = self.endpoint == "/responses" and isinstance(head.prompt, dict)

    def _edits(self, way: Route) -> list[Edit]:
        """The two changes that are ever made to a body: our slug leaves the model, a bare image link becomes an object."""
        model = way.provider.rename(way.settings, way.model) if way.provider.rename else way.model
        if self.boundary:
            return [
                (part.start, part.end, model)
                for part in multipart.parts(self.body, self.boundary)
                if part.name == "model" and model != self.model
            ]
        if self.is_named_outside:
            return self._model_put_in(model)
        rename = bool(self.model) and model != self.model and not self.named_in_path
        wrap = (
            self.endpoint == "/chat/completions"
            and self.dialect is not None
            and has_string_value(self.outline, "image_url")
        )
        if not rename and not wrap:
            return []
        if rename and not wrap and (only := edit_of_only(self.outline, "model", lambda _: _literal(model))):
            return [only]
        try:
            doc = parse(self.body)
            edits = edits_for(self.body, doc, "model", lambda path, _: _renamed(path, model)) if rename else []
            return edits + (edits_for(self.body, doc, "image_url", _wrapped) if wrap else [])
        except TooManyValues as error:
            return self._edits_unread(model, error) if rename else []
        except ValueError as error:
            raise BadRequest(
                f"The body cannot be sent on: {error}. Write each key once, without escapes.",
                code="ambiguous_body",
            ) from None

    def _own_upload(self, way: Route) -> str:
        """Where an upload's bytes are to go: here. Google's SDKs send no header with them, so the address names the keys."""
        if not way.provider.uploads or not self.endpoint.startswith("/upload/"):
            return ""
        names = urlencode({"key": self.options.gateway_key, VIRTUAL_KEY: self.options.virtual_key})
        return f"{self.scheme}://{self.headers.get('host', '')}/upload/{self.version}{self.endpoint[7:]}?{{}}&{names}"

    def _adds_usage(self, way: Route) -> bool:
        is_chat_stream = self.stream and self.endpoint in ("/chat/completions", "/completions")
        return is_chat_stream and not self.wants_usage and way.setting("stream_usage") == "always"

    def _model_put_in(self, model: str) -> list[Edit]:
        """For a body without one, whose path named it: only Azure's own classic path says it for the provider too."""
        brace = self.body.find(b"{") + 1
        comma = "" if self.body[brace:].lstrip().startswith(b"}") else ","
        return [(brace, brace, f'"model":{_literal(model)}{comma}')]

    def _edits_unread(self, model: str, error: TooManyValues) -> list[Edit]:
        """The model's name alone, in a body that is too large to be read."""
        only = edit_of_only(self.outline, "model", lambda _: _literal(model))
        if only is None:
            raise BadRequest(
                f"The body cannot be sent on: {error}, and the key model stands in it more than once. "
                "Name the virtual key in the header x-portkey-virtual-key instead of in the model.",
                code="ambiguous_body",
            ) from None
        return [only]

    def _headers(self, way: Route, *, translated: bool) -> HeaderList:
        """Nothing of the caller's but what is listed."""
        wanted = FORWARDED | (set(self.options.forward_headers) - NEVER_FORWARDED)
        kept = {
            name: value
            for name, value in self.headers.items()
            if name in wanted and not name.startswith(("x-portkey-", "x-loupe-"))
        }
        for name in ("openai-organization", "openai-project", "openai-beta", "anthropic-version", "anthropic-beta"):
            if value := self.headers.get(f"x-portkey-{name}"):
                kept[name] = value
        if translated:
            kept["content-type"] = "application/json"
            kept.pop("accept", None)
        return [
            *(dict(way.provider.headers) | kept).items(),
            ("user-agent", USER_AGENT),
            ("accept-encoding", "identity"),
            (HOPS, str(self.hops + 1)),
        ]

    def _call(self, way: Route, edits: list[Edit], sent_body: bytes, *, request: Request | None = None) -> Call:
        opens = way.wire.opens
        always = way.setting("inline_images") == "always"
        url = (
            way.wire_url(WIRE_ENDPOINT, stream=self.stream)
            if request
            else way.url(self.endpoint, self._sent_query(way), self.version)
        )
        reader = self.dialect or dialects.CHAT
        return Call(
            id=self.id,
            arrived=self.arrived,
            created=int(time_of(self.id).timestamp()),
            method=self.method,
            endpoint=self.endpoint,
            url=url,
            headers=self._headers(way, translated=request is not None),
            body=self.body,
            edits=edits,
            sent_body=sent_body,
            route=way,
            stream=self.stream,
            end_marks=reader.end_marks,
            timeout=self.options.timeout,
            keep_bodies=self.options.keep_bodies,
            trace_id=self.trace_id,
            begin_meta=self._meta(way, edits, url, way.wire.dialect if request else ""),
            credential=plain_headers(way),
            request=request,
            inline=self.endpoint in INLINED and (always or not opens),
            always_inline=always,
            strict=self.options.strict,
            lint_refuses=way.setting("lint") == "refuse",
            native=self.endpoint not in OPENAI,
        )

    def _sent_query(self, way: Route) -> str:
        """Google's SDKs may show their key in the query: here that is the gateway's, and goes no further."""
        if "key=" not in self.query:
            return self.query
        google = way.provider.auth in ("x-goog-api-key", "google")

        def is_key(pair: str) -> bool:
            name, _, value = pair.partition("=")
            if unquote_plus(name) == VIRTUAL_KEY:
                return True
            return unquote_plus(name) == "key" and (google or unquote_plus(value) == self.options.gateway_key)

        return "&".join(pair for pair in self.query.split("&") if pair and not is_key(pair))

    def _meta(self, way: Route, edits: list[Edit], url: str, wire: str) -> dict[str, Any]:
        """What the journal says of the request, beside its body. No secret is in here."""
        options = self.options
        metadata = {"_user": self.user, **options.metadata} if self.user else options.metadata
        query = redaction.safe_query(self.query)
        return {
            "workspace": self.holder.workspace,
            "api_key": self.holder.id or None,
            "virtual_key": way.virtual_key,
            "provider": way.provider.name,
            "model": way.model or self.model,
            "method": self.method,
            "endpoint": dialects.short(self.endpoint),
            "path": f"/v1{self.endpoint}" + (f"?{query}" if query else ""),
            "url": redaction.safe_url(url) if way.base_url.startswith("http") else "",
            "wire": wire,
            "content_type": self.headers.get("content-type", ""),
            "headers": redaction.kept_headers(self.headers, redaction.KEPT_REQUEST_HEADERS),
            "edits": edits,
            "stream": self.stream,
            "bytes": len(self.body),
            "keep_bodies": options.keep_bodies,
            "trace_id": self.trace_id,
            "span_id": options.span_id,
            "span_name": options.span_name,
            "parent_span_id": options.parent_span_id,
            "metadata": {key: redaction.mask_keys(value) for key, value in metadata.items()},
            "sdk": options.sdk,
            "prompt": self.prompt,
        }


def _renamed(path: Path, model: str) -> Callable[[str], str] | None:
    return (lambda _: _literal(model)) if path == () else None


def _literal(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _wrapped(path: Path, _: str) -> Callable[[str], str] | None:
    match path:
        case ("messages", int(), "content", int()):
            return lambda text: f'{{"url":{text}}}'
    return None

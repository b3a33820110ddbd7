"""Hands spans to an OpenTelemetry collector: OTLP over HTTP, protobuf, gzip (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP")."""

from __future__ import annotations

import gzip
import logging
import ssl
from collections.abc import Mapping, Sequence

import httpx2
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from gateway.faults import Away
from gateway.telemetry.attributes import Value, key_values

log = logging.getLogger(__name__)

SECONDS = 10  # the default of OTLP's exporters
# A collector that sends us away or does not know us is set up wrongly, and so are we: the spans wait until somebody mends it,
# though the specification would let them go.
PASSING = frozenset({401, 403, 404, 405, 408, 429, 502, 503, 504})


class Refused(Exception):
    """The collector will not take these spans, now or later."""


class Collector:
    """`url` is that of the traces; `resource` says who sends them.

    Raises:
        ValueError: the URL or a header is none.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], resource: Mapping[str, Value], *, certificate: str = ""
    ) -> None:
        verify = ssl.create_default_context(cafile=certificate or None)
        own = {"content-type": "application/x-protobuf", "content-encoding": "gzip", "user-agent": "loupe"}
        self.url = url
        self.resource = Resource(attributes=key_values(resource))
        self.client = httpx2.Client(headers={**headers, **own}, timeout=SECONDS, verify=verify)

    def send(self, spans: Sequence[Span]) -> None:
        """Raises Refused, faults.Away."""
        scope = ScopeSpans(scope=InstrumentationScope(name="loupe"), spans=spans)
        request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=self.resource, scope_spans=[scope])])
        try:
            answer = self.client.post(self.url, content=gzip.compress(request.SerializeToString(), 5))
        except httpx2.RequestError as error:
            raise Away(f"the collector {self.url} does not answer: {type(error).__name__}: {error}") from error
        if answer.status_code in PASSING or answer.is_redirect:
            raise Away(f"the collector {self.url} answered {answer.status_code}: {_said(answer)}")
        if not answer.is_success:
            raise Refused(f"the collector {self.url} answered {answer.status_code}: {_said(answer)}")
        _note_partial(answer)


def _said(answer: httpx2.Response) -> str:
    return "".join(c if c.isprintable() else " " for c in answer.text[:300]).strip()


def _note_partial(answer: httpx2.Response) -> None:
    """A collector may take some spans only, or have something to say though it took all."""
    if answer.headers.get("content-type", "").partition(";")[0] != "application/x-protobuf":
        return
    try:
        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    except DecodeError:
        log.warning("the collector's answer %s could not be read", answer.content[:60])
        return
    if partial.rejected_spans or partial.error_message:
        log.warning("the collector refused %d spans: %s", partial.rejected_spans, partial.error_message[:300])

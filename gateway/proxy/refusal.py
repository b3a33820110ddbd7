"""Loupe's own word to a client, instead of a provider's: sent, and for a call that was read, recorded first."""

from __future__ import annotations

import msgspec

from gateway.errors import GatewayError, NotRecorded
from gateway.network.request_head import HeaderList
from gateway.proxy.answer_headers import own_headers
from gateway.proxy.exchange import Exchange
from gateway.recording.journal import JournalUnavailable
from gateway.upstream.call import Send

JSON = "application/json"


async def refuse(exchange: Exchange, error: GatewayError, send: Send) -> None:
    """A request that cannot be sent on is in the log too, with what it got for an answer.

    Raises:
        NotRecorded: it could not be written down, and the settings say that it must be.
    """
    try:
        await note(exchange, error)
    except JournalUnavailable as lost:
        raise NotRecorded(f"The answer could not be recorded: {lost}.") from lost
    call = exchange.call
    await send_error(send, error, own=own_headers(call.id, call.trace_id, "loupe"))


async def note(exchange: Exchange, error: GatewayError) -> None:
    """Write down that a request was refused. Raises what the exchange raises."""
    exchange.begin()
    exchange.status = error.status
    exchange.headers = {"content-type": JSON}
    exchange.end("refused", error.body(), failure=error.error_code, message=error.message)
    await exchange.commit()


async def send_json(send: Send, document: object, *, own: HeaderList) -> None:
    """Loupe's own answer to a call that goes nowhere."""
    body = msgspec.json.encode(document)
    headers = [("content-type", JSON), ("content-length", str(len(body))), *own]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: GatewayError, *, own: HeaderList, close: bool = False) -> None:
    """Loupe's own refusal, in the shape that every SDK reads."""
    body = error.body()
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), *own]
    if error.retry_after is not None:
        headers.append(("retry-after", str(error.retry_after)))
    else:
        headers.append(("x-should-retry", "false"))
    if close:
        headers.append(("connection", "close"))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})

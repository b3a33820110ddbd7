"""OpenAI Responses answers: events written as a response object, or as the typed events of its stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.content.openai_fields import Usage
from gateway.translation.chat_answer import handed_out
from gateway.translation.neutral import (
    CallDelta,
    Event,
    Events,
    Failure,
    Finish,
    ImageDelta,
    Start,
    TextDelta,
    ThoughtDelta,
    UsageDelta,
)

SEALED = "sealed:"


@dataclass(slots=True)
class _Item:
    """One output item as it grows."""

    document: dict[str, Any]
    index: int
    text: list[str] = field(default_factory=list)


class Writer:
    """Writes one answer. A stream's events are numbered; output items open when their first piece comes."""

    def __init__(self, *, id: str, created: int, model: str) -> None:
        self.id, self.created, self.model = f"resp_{id}", created, model
        self.items: list[_Item] = []
        self.calls: dict[int, _Item] = {}
        self.open_calls: list[_Item] = []
        self.open: _Item | None = None
        self.usage = Usage()
        self.finish: Finish | None = None
        self.failure: Failure | None = None
        self.sequence = 0
        self.begun = False

    def whole(self, events: Events) -> dict[str, Any]:
        for event in events:
            for _ in self.frames(event):
                pass
        for _ in self._close():
            pass
        return self.document()

    def document(self, status: str = "") -> dict[str, Any]:
        cut = not self.failure and self.finish is not None and self.finish.reason in ("length", "content_filter")
        reason = {"length": "max_output_tokens"}.get(self.finish.reason if self.finish else "", "content_filter")
        error = {"code": _error_code(self.failure), "message": self.failure.message} if self.failure else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status or ("failed" if error else "incomplete" if cut else "completed"),
            "error": error,
            "incomplete_details": {"reason": reason} if cut and not status else None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": [item.document for item in self.items],
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None if status else usage_document(self.usage),
        }

    def frames(self, event: Event) -> Iterator[dict[str, Any]]:
        """The stream's events for one of ours."""
        if isinstance(event, Start):
            self.model = event.model or self.model
        if not self.begun:
            self.begun = True
            yield self._frame("response.created", response=self.document("in_progress"))
        if isinstance(event, UsageDelta):
            self.usage = event.usage
        elif isinstance(event, Finish):
            self.finish = event
        elif isinstance(event, Failure):
            self.failure = event
        elif isinstance(event, TextDelta) and event.choice == 0:
            yield from self._text(event)
        elif isinstance(event, ThoughtDelta):
            yield from self._thought(event)
        elif isinstance(event, CallDelta):
            yield from self._call(event)
        elif isinstance(event, ImageDelta):
            yield from self._image(event)

    def last(self) -> Iterator[dict[str, Any]]:
        yield from self._close()
        document = self.document()
        yield self._frame(f"response.{document['status']}", response=document)

    def _frame(self, kind: str, **fields: Any) -> dict[str, Any]:
        self.sequence += 1
        return {"type": kind, "sequence_number": self.sequence - 1, **fields}

    def _add(self, document: dict[str, Any]) -> tuple[_Item, dict[str, Any]]:
        item = _Item(document, len(self.items))
        self.items.append(item)
        shown = {**document, "content": []} if "content" in document else document
        return item, self._frame("response.output_item.added", output_index=item.index, item=shown)

    def _at(self, item: _Item) -> dict[str, Any]:
        return {"item_id": item.document["id"], "output_index": item.index}

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self.id[5:]}_{len(self.items)}"

    def _text(self, event: TextDelta) -> Iterator[dict[str, Any]]:
        text = event.text
        if not text and self.open is None:
            return
        if self.open is None or self.open.document["type"] != "message":
            yield from self._close()
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            message = {
                "id": self._name("msg"),
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [part],
            }
            self.open, frame = self._add(message)
            yield frame
            yield self._frame("response.content_part.added", **self._at(self.open), content_index=0, part=dict(part))
        self.open.document |= handed_out(event.signature)
        if text:
            self.open.text.append(text)
            yield self._frame(
                "response.output_text.delta", **self._at(self.open), content_index=0, delta=text, logprobs=[]
            )

    def _thought(self, event: ThoughtDelta) -> Iterator[dict[str, Any]]:
        """What must go back to the model's vendor goes where OpenAI's own encrypted reasoning does, so that clients keep it."""
        text = event.text
        if event.sealed:
            yield from self._close()
            sealed = {
                "id": self._name("rs"),
                "type": "reasoning",
                "summary": [],
                "encrypted_content": SEALED + event.sealed,
            }
            item, frame = self._add(sealed)
            yield frame
            yield self._frame("response.output_item.done", output_index=item.index, item=sealed)
        if not text and not event.signature:
            return
        if self.open is None or self.open.document["type"] != "reasoning":
            yield from self._close()
            part = {"type": "summary_text", "text": ""}
            self.open, frame = self._add({"id": self._name("rs"), "type": "reasoning", "summary": [part]})
            yield frame
            yield self._frame(
                "response.reasoning_summary_part.added", **self._at(self.open), summary_index=0, part=dict(part)
            )
        if event.signature:
            self.open.document["encrypted_content"] = event.signature
        if text:
            self.open.text.append(text)
            yield self._frame(
                "response.reasoning_summary_text.delta", **self._at(self.open), summary_index=0, delta=text
            )

    def _call(self, event: CallDelta) -> Iterator[dict[str, Any]]:
        item = self.calls.get(event.slot)
        if item is None:
            yield from self._close_spoken()
            document: dict[str, Any] = {
                "id": self._name("fc"), "type": "function_call", "status": "in_progress", "call_id": event.id,
                "name": event.name, "arguments": "",
            }  # fmt: skip
            document |= handed_out(event.signature)
            item, frame = self._add(document)
            self.calls[event.slot] = item
            self.open_calls.append(item)
            yield frame
        if event.arguments:
            item.text.append(event.arguments)
            yield self._frame("response.function_call_arguments.delta", **self._at(item), delta=event.arguments)

    def _image(self, event: ImageDelta) -> Iterator[dict[str, Any]]:
        yield from self._close()
        kind = event.media_type.rpartition("/")[2]
        document = {
            "id": self._name("ig"), "type": "image_generation_call", "status": "completed", "result": event.base64,
            "output_format": kind,
        } | handed_out(event.signature)  # fmt: skip
        item, frame = self._add(document)
        yield frame
        yield self._frame("response.output_item.done", output_index=item.index, item=document)

    def _close(self) -> Iterator[dict[str, Any]]:
        """End what is open, calls too: their pieces may come in turns, until something else begins."""
        yield from self._close_spoken()
        calls, self.open_calls = self.open_calls, []
        for item in calls:
            yield from self._done(item)

    def _close_spoken(self) -> Iterator[dict[str, Any]]:
        item, self.open = self.open, None
        if item is not None:
            yield from self._done(item)

    def _done(self, item: _Item) -> Iterator[dict[str, Any]]:
        document, text = item.document, "".join(item.text)
        status = "incomplete" if self.failure else "completed"
        if document["type"] == "message":
            document["status"] = status
            part = document["content"][0]
            part["text"] = text
            yield self._frame("response.output_text.done", **self._at(item), content_index=0, text=text, logprobs=[])
            yield self._frame("response.content_part.done", **self._at(item), content_index=0, part=part)
        elif document["type"] == "reasoning":
            document["summary"][0]["text"] = text
            yield self._frame("response.reasoning_summary_text.done", **self._at(item), summary_index=0, text=text)
            yield self._frame(
                "response.reasoning_summary_part.done", **self._at(item), summary_index=0, part=document["summary"][0]
            )
        else:
            document |= {"status": status, "arguments": text}
            name = document["name"]
            yield self._frame("response.function_call_arguments.done", **self._at(item), arguments=text, name=name)
        yield self._frame("response.output_item.done", output_index=item.index, item=document)


def _error_code(failure: Failure) -> str:
    """One of the few codes that the API's schema knows: typed clients refuse any other."""
    limited = {"429", "RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded", "ThrottlingException"}
    return "rate_limit_exceeded" if {failure.code, failure.type} & limited else "server_error"


def usage_document(usage: Usage) -> dict[str, Any]:
    prompt, completion = usage.prompt or 0, usage.completion or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.cached or 0, "cache_write_tokens": usage.cache_write or 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": usage.total if usage.total is not None else prompt + completion,
    }

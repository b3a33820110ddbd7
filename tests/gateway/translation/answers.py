"""One answer written as each provider writes it, whole and as a stream, and the caller's stream put together again."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, get_args

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from gateway.translation.translator import Translator

STREAM_EVENTS = {
    get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(ResponseStreamEvent)[0])
}
ENDPOINTS = ["/chat/completions", "/responses"]
WIRES = ["anthropic", "gemini", "converse", "chat"]
FINISHES = {
    "stop": ("end_turn", "STOP", "end_turn", "stop"),
    "length": ("max_tokens", "MAX_TOKENS", "max_tokens", "length"),
    "tool_calls": ("tool_use", "STOP", "tool_use", "tool_calls"),
    "content_filter": ("refusal", "SAFETY", "guardrail_intervened", "content_filter"),
}


@dataclass(frozen=True)
class Said:
    """Blocks are `(kind, ...)`: text, thought, call (name, arguments) and, from Gemini and chat, image (type, bytes)."""

    blocks: tuple[tuple[Any, ...], ...]
    finish: str = "stop"
    prompt: int = 11
    completion: int = 7


def translator(wire: str, endpoint: str = "/chat/completions", *, strict: bool = True) -> Translator:
    return Translator(
        endpoint=endpoint, wire=wire, id="0a1b", created=1_700_000_000, model="asked", include_usage=True, strict=strict
    )


def sse(*documents: Any, names: bool = False) -> bytes:
    lines = [(f"event: {one['type']}\n" if names else "") + f"data: {json.dumps(one)}\n\n" for one in documents]
    return "".join(lines).encode()


def frame(payload: bytes, **headers: str) -> bytes:
    """One message of `application/vnd.amazon.eventstream`, as Amazon documents it."""
    packed = b""
    for name, value in headers.items():
        key = b":" + name.replace("_", "-").encode()
        packed += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", len(packed) + len(payload) + 16, len(packed))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def aws(*events: tuple[str, Any]) -> bytes:
    return b"".join(frame(json.dumps(doc).encode(), message_type="event", event_type=kind) for kind, doc in events)


def halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def whole(said: Said, wire: str) -> bytes:
    return json.dumps(globals()[f"_{wire}"](said)).encode()


def stream(said: Said, wire: str) -> bytes:
    made: bytes = globals()[f"_{wire}_stream"](said)
    return made


def _anthropic(said: Said) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for at, (kind, *given) in enumerate(said.blocks):
        if kind == "text":
            content.append({"type": "text", "text": given[0]})
        elif kind == "thought":
            content.append({"type": "thinking", "thinking": given[0], "signature": "c2ln"})
        else:
            content.append({"type": "tool_use", "id": f"toolu_{at}", "name": given[0], "input": given[1]})
    usage = {"input_tokens": said.prompt, "output_tokens": said.completion}
    stop = FINISHES[said.finish][0]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-4", "content": content,
            "stop_reason": stop, "stop_sequence": None, "usage": usage}  # fmt: skip


def _anthropic_stream(said: Said) -> bytes:
    doc = _anthropic(said)
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": doc | {"content": [], "usage": doc["usage"] | {"output_tokens": 1}}},
        {"type": "ping"},
    ]
    for at, block in enumerate(doc["content"]):
        empty: dict[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
        shown = block | {key: value for key, value in empty.items() if key in block}
        events.append({"type": "content_block_start", "index": at, "content_block": shown})
        if block["type"] == "tool_use":
            pieces = halves(json.dumps(block["input"])) if block["input"] else [""]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        else:
            kind = block["type"]
            name = {"text": "text", "thinking": "thinking"}[kind]
            deltas = [{"type": f"{name}_delta", name: piece} for piece in halves(block[name])]
            deltas += [{"type": "signature_delta", "signature": "c2ln"}] if kind == "thinking" else []
        events += [{"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": at})
    end = {"stop_reason": doc["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": said.completion}})
    return sse(*events, {"type": "message_stop"}, names=True)


def _gemini_part(kind: str, *given: Any) -> dict[str, Any]:
    if kind == "call":
        return {"functionCall": {"name": given[0], "args": given[1]}, "thoughtSignature": "c2ln"}
    if kind == "image":
        return {"inlineData": {"mimeType": given[0], "data": base64.b64encode(given[1]).decode()}}
    return {"text": given[0]} | ({"thought": True} if kind == "thought" else {})


def _gemini(said: Said) -> dict[str, Any]:
    parts = [_gemini_part(*block) for block in said.blocks]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": FINISHES[said.finish][1], "index": 0}
    total = said.prompt + said.completion
    usage = {
        "promptTokenCount": said.prompt,
        "candidatesTokenCount": said.completion,
        "totalTokenCount": total,
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-3", "responseId": "r1"}


def _gemini_stream(said: Said) -> bytes:
    doc = _gemini(said)
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": FINISHES[said.finish][1]}
    pieces = [
        piece
        for block in said.blocks
        for piece in ([(block[0], half) for half in halves(block[1])] if block[0] in ("text", "thought") else [block])
    ]
    events = [
        doc
        | {
            "candidates": [{"content": {"role": "model", "parts": [_gemini_part(*piece)]}}],
            "usageMetadata": {"promptTokenCount": said.prompt, "candidatesTokenCount": at},
        }
        for at, piece in enumerate(pieces)
    ]
    return sse(*events, doc | {"candidates": [last]}).replace(b"\n", b"\r\n")


def _converse(said: Said) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for at, (kind, *given) in enumerate(said.blocks):
        if kind == "text":
            content.append({"text": given[0]})
        elif kind == "thought":
            content.append({"reasoningContent": {"reasoningText": {"text": given[0], "signature": "c2ln"}}})
        else:
            content.append({"toolUse": {"toolUseId": f"tooluse_{at}", "name": given[0], "input": given[1]}})
    total = said.prompt + said.completion
    usage = {"inputTokens": said.prompt, "outputTokens": said.completion, "totalTokens": total}
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": FINISHES[said.finish][2],
            "usage": usage, "metrics": {"latencyMs": 5}}  # fmt: skip


def _converse_stream(said: Said) -> bytes:
    doc = _converse(said)
    events: list[tuple[str, Any]] = [("messageStart", {"role": "assistant", "p": "abc"})]
    for at, block in enumerate(doc["output"]["message"]["content"]):
        deltas: list[Any]
        if "toolUse" in block:
            call = block["toolUse"]
            start = {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}
            events.append(("contentBlockStart", {"contentBlockIndex": at, "start": start}))
            pieces = halves(json.dumps(call["input"])) if call["input"] else []
            deltas = [{"toolUse": {"input": piece}} for piece in pieces]
        elif "text" in block:
            deltas = [{"text": piece} for piece in halves(block["text"])]
        else:
            thought = block["reasoningContent"]["reasoningText"]
            deltas = [{"reasoningContent": {"text": piece}} for piece in halves(thought["text"])]
            deltas.append({"reasoningContent": {"signature": "c2ln"}})
        events += [("contentBlockDelta", {"contentBlockIndex": at, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": at}))
    events.append(("messageStop", {"stopReason": doc["stopReason"]}))
    return aws(*events, ("metadata", {"usage": doc["usage"], "metrics": {}}))


def _chat(said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for at, (kind, *given) in enumerate(said.blocks):
        if kind == "text":
            message["content"] += given[0]
        elif kind == "thought":
            message["reasoning_content"] = message.get("reasoning_content", "") + given[0]
        elif kind == "image":
            url = f"data:{given[0]};base64,{base64.b64encode(given[1]).decode()}"
            message.setdefault("images", []).append({"type": "image_url", "image_url": {"url": url}})
        else:
            function = {"name": given[0], "arguments": json.dumps(given[1])}
            message.setdefault("tool_calls", []).append({"id": f"call_{at}", "type": "function", "function": function})
    usage = {
        "prompt_tokens": said.prompt,
        "completion_tokens": said.completion,
        "total_tokens": said.prompt + said.completion,
    }
    choice = {"index": 0, "message": message, "finish_reason": FINISHES[said.finish][3]}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _chat_stream(said: Said) -> bytes:
    doc = _chat(said)
    message = doc["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in halves(message.get("reasoning_content", "")) if piece]
    deltas += [{"content": piece} for piece in halves(message["content"]) if piece]
    for at, call in enumerate(message.get("tool_calls", [])):
        deltas.append({"tool_calls": [call | {"index": at, "function": call["function"] | {"arguments": ""}}]})
        for piece in halves(call["function"]["arguments"]):
            deltas.append({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    deltas += [{"images": [image]} for image in message.get("images", [])]
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    finish = {"index": 0, "delta": {}, "finish_reason": doc["choices"][0]["finish_reason"]}
    usage = base | {"choices": [], "usage": doc["usage"]}
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    body = sse(azure, *events, base | {"choices": [finish]}, usage)
    return b": OPENROUTER PROCESSING\n\n" + body + b"data: [DONE]\n\n"


def documents(told: bytes) -> list[Any]:
    lines = [line[6:] for line in told.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def checked_whole(told: bytes, endpoint: str) -> dict[str, Any]:
    """The answer, once OpenAI's own types have taken it."""
    doc: dict[str, Any] = json.loads(told)
    (Response if endpoint == "/responses" else ChatCompletion).model_validate(doc, strict=True)
    return doc


def checked_stream(told: bytes, endpoint: str) -> dict[str, Any]:
    """The answer that the events of a stream come to, once OpenAI's own types have taken each of them."""
    events = documents(told)
    if endpoint == "/responses":
        for event in events:
            STREAM_EVENTS[event["type"]].model_validate(event)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        _check_deltas(events)
        final: dict[str, Any] = events[-1]["response"]
        return final
    assert told.endswith(b"data: [DONE]\n\n")
    for event in events:
        assert not event.get("error"), event
        ChatCompletionChunk.model_validate(event)
    return _put_together(events)


def _check_deltas(events: list[Any]) -> None:
    """The deltas of each item come to what its end says, and every item that begins also ends."""
    texts: dict[int, str] = {}
    begun, ended = [], []
    for event in events:
        kind = event["type"]
        if kind.endswith(".delta"):
            texts[event["output_index"]] = texts.get(event["output_index"], "") + event["delta"]
        elif kind in ("response.output_text.done", "response.reasoning_summary_text.done"):
            assert event["text"] == texts.get(event["output_index"], "")
        elif kind == "response.function_call_arguments.done":
            assert event["arguments"] == texts.get(event["output_index"], "")
        elif kind == "response.output_item.added":
            begun.append(event["output_index"])
        elif kind == "response.output_item.done":
            ended.append(event["output_index"])
            assert event["item"] == events[-1]["response"]["output"][event["output_index"]]
    assert begun == list(range(len(begun)))
    assert sorted(ended) == begun


def _put_together(events: list[Any]) -> dict[str, Any]:
    """Chunks as a caller joins them, in the shape of a completion."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    calls: dict[int, dict[str, Any]] = {}
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None}
    for event in events:
        for one in event["choices"]:
            delta = one["delta"]
            for name in ("content", "reasoning_content"):
                if delta.get(name):
                    message[name] = (message.get(name) or "") + delta[name]
            for image in delta.get("images", []):
                message.setdefault("images", []).append(image)
            for call in delta.get("tool_calls", []):
                if call["index"] not in calls:
                    calls[call["index"]] = call
                else:
                    calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            if one["finish_reason"]:
                choice |= {key: one[key] for key in ("finish_reason", "native_finish_reason")}
    if calls:
        message["tool_calls"] = [
            {key: value for key, value in call.items() if key != "index"} for _, call in sorted(calls.items())
        ]
    start = {key: events[-1][key] for key in ("id", "created", "model")}
    return start | {"object": "chat.completion", "choices": [choice], "usage": events[-1].get("usage")}

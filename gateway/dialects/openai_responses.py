"""POST /v1/responses. Here `image_url` is a string, and pictures come back as `image_generation_call.result`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.content.json_text import compact, items, obj, words
from gateway.content.openai_fields import error_of, openai_usage
from gateway.dialects.base import Answer, Part, Question, Turn, settings_of


class OpenAIResponses:
    name = "responses"
    title = "Response"
    end_marks: tuple[bytes, ...] = (
        b"event: response.completed",
        b"event: response.failed",
        b"event: response.incomplete",
    )

    def read_question(self, doc: Any) -> Question:
        given = obj(doc).get("input")
        turns: list[Turn] = []
        if words(obj(doc).get("instructions")):
            turns.append(Turn("system", (Part("text", doc["instructions"]),)))
        if isinstance(given, str):
            turns.append(Turn("user", (Part("text", given),)))
        turns += [_turn(item, f"input[{index}]") for index, item in enumerate(items(given))]
        return Question(tuple(turns), settings_of(doc, frozenset({"input", "instructions"})))

    def read_answer(self, doc: Any) -> Answer:
        doc = obj(doc)
        turns = (_turn(item, f"output[{index}]") for index, item in enumerate(items(doc.get("output"))))
        why = words(obj(doc.get("incomplete_details")).get("reason"))
        return Answer(
            turns=tuple(turn for turn in turns if turn.parts),
            model=words(doc.get("model")),
            finish_reason=why or words(doc.get("status")),
            usage=openai_usage(doc),
            error=error_of(doc),
        )

    def read_stream(self, events: Iterable[Any]) -> Answer:
        """The last event holds the whole response; without it, the text deltas so far."""
        said: list[str] = []
        error = ""
        for event in events:
            if isinstance(obj(event).get("response"), dict) and words(event.get("type")) in (
                "response.completed",
                "response.failed",
                "response.incomplete",
            ):
                return self.read_answer(event["response"])
            if words(obj(event).get("type")) == "response.output_text.delta":
                said.append(words(event.get("delta")))
            error = error_of(event) or error
        turns = (Turn("assistant", (Part("text", "".join(said)),)),) if said else ()
        return Answer(turns, error=error, complete=bool(error))


def _turn(item: Any, path: str) -> Turn:
    item = obj(item)
    role = words(item.get("role")) or {"function_call_output": "tool"}.get(words(item.get("type")), "assistant")
    return Turn(role, tuple(_parts(item, path)))


def _parts(item: dict[str, Any], path: str) -> Iterator[Part]:
    content = item.get("content", item.get("output", item.get("summary")))
    if isinstance(content, str):
        yield Part("text", content)
    for index, part in enumerate(items(content)):
        yield _part(obj(part), f"{path}.{'content' if 'content' in item else 'output'}[{index}]")
    if words(item.get("type")) == "image_generation_call" and words(item.get("result")):
        yield Part("image", item["result"], f"{path}.result")
    elif words(item.get("type")) in ("function_call", "custom_tool_call"):
        yield Part("tool", f"{words(item.get('name'))} {words(item.get('arguments'))}".strip())


def _part(part: dict[str, Any], path: str) -> Part:
    if isinstance(part.get("text"), str):
        return Part("text", part["text"])
    if isinstance(part.get("image_url"), str):
        return Part("image", part["image_url"], f"{path}.image_url", words(part.get("detail")))
    for key in ("file_data", "file_url", "data"):
        if isinstance(part.get(key), str):
            return Part("file", part[key], f"{path}.{key}")
    return Part("json", compact(part))

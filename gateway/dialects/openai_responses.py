"""POST /v1/responses. Here `image_url` is a string, and pictures come back as `image_generation_call.result`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.content.json_text import items, obj, words
from gateway.content.json_written import compact
from gateway.content.openai_fields import error_of, openai_usage
from gateway.dialects.base import Answer, Part, Question, Turn, settings_of

ENDS = ("response.completed", "response.failed", "response.incomplete")
# Members of an item that say nothing that was said.
IDLE = frozenset(
    {"type", "id", "call_id", "status", "pending_safety_checks", "acknowledged_safety_checks", "extra_content"}
)
EMPTY: tuple[Any, ...] = (None, "", [], {})


class OpenAIResponses:
    name = "responses"
    title = "Response"
    end_marks: tuple[bytes, ...] = (
        b"event: response.completed",
        b"event: response.failed",
        b"event: response.incomplete",
    )

    def read_question(self, doc: Any) -> Question:
        given, stored = obj(doc).get("input"), obj(obj(doc).get("prompt"))
        turns: list[Turn] = []
        if words(obj(doc).get("instructions")):
            turns.append(Turn("system", (Part("text", doc["instructions"]),)))
        if stored:
            turns.append(Turn("user", tuple(_stored_prompt(stored))))
        if isinstance(given, str):
            turns.append(Turn("user", (Part("text", given),)))
        turns += [_turn(item, f"input[{index}]") for index, item in enumerate(items(given))]
        turns = [turn for turn in turns if turn.parts]
        return Question(tuple(turns), settings_of(doc, frozenset({"input", "instructions", "prompt"})))

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
            id=words(doc.get("id")),
        )

    def read_stream(self, events: Iterable[Any]) -> Answer:
        """The last event holds the whole response; without it, the items that were done, and the words of the one under way."""
        said: list[str] = []
        done: list[Any] = []
        error = ""
        for event in events:
            event, kind = obj(event), words(obj(event).get("type"))
            if isinstance(event.get("response"), dict) and kind in ENDS:
                return self.read_answer(event["response"])
            if kind == "response.output_text.delta":
                said.append(words(event.get("delta")))
            elif kind == "response.output_item.done":
                done.append(event.get("item"))
                said = []
            error = error_of(event) or error
        turns = [_turn(item, f"output[{index}]") for index, item in enumerate(done)]
        turns += [Turn("assistant", (Part("text", "".join(said)),))] if said else []
        return Answer(tuple(turn for turn in turns if turn.parts), error=error, complete=bool(error))


def _stored_prompt(prompt: dict[str, Any]) -> Iterator[Part]:
    """A prompt that OpenAI holds: its name, and what was filled in."""
    variables = obj(prompt.get("variables"))
    yield Part("json", compact({key: value for key, value in prompt.items() if key != "variables"}))
    for name, value in variables.items():
        if isinstance(value, dict):
            yield _part(value, f"prompt.variables.{name}")
        else:
            yield Part("text", f"{name}: {value}")


def _turn(item: Any, path: str) -> Turn:
    item = obj(item)
    kind = words(item.get("type"))
    role = words(item.get("role")) or ("tool" if kind.endswith("_output") else "assistant")
    return Turn(role, tuple(_parts(item, kind, path)), path)


def _parts(item: dict[str, Any], kind: str, path: str) -> Iterator[Part]:
    if kind == "reasoning":
        yield from _reasoning(item)
    elif kind.endswith("_output"):
        yield from _content(item.get("output"), f"{path}.output")
        yield from _rest(item, {"output"})
    elif kind == "image_generation_call":
        if words(item.get("result")):
            yield Part("image", item["result"], f"{path}.result")
        yield from _rest(item, {"result", "output_format", "background", "quality", "size", "action"})
    elif kind in ("", "message") or "role" in item:
        yield from _content(item.get("content"), f"{path}.content")
    else:
        yield from _called(item, kind)


def _called(item: dict[str, Any], kind: str) -> Iterator[Part]:
    """What was called, by its name; of OpenAI's own tools by their kind, with all that they were told."""
    given = item.get("arguments", item.get("input"))
    if given is None and not words(item.get("name")):
        left = "".join(part.text for part in _rest(item, set()))
        yield Part("tool", f"{kind} {left}".strip(), detail=words(item.get("call_id")))
        return
    said = given if isinstance(given, str) else "" if given is None else compact(given)
    yield Part("tool", f"{words(item.get('name')) or kind} {said}".strip(), detail=words(item.get("call_id")))
    yield from _rest(item, {"name", "arguments", "input"})


def _rest(item: dict[str, Any], read: set[str]) -> Iterator[Part]:
    """What an item says beside, as JSON: what a search looked for, where a computer clicked, what a program printed."""
    left = {name: value for name, value in item.items() if name not in read | IDLE and value not in EMPTY}
    if left:
        yield Part("json", compact(left))


def _reasoning(item: dict[str, Any]) -> Iterator[Part]:
    parts = [*items(item.get("summary")), *items(item.get("content"))]
    text = "\n\n".join(filter(None, (words(obj(part).get("text")) for part in parts)))
    if text or item.get("encrypted_content"):
        yield Part("reasoning", text or "Encrypted: only the provider can read it.")


def _content(content: Any, path: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part("text", content, path)
    elif isinstance(content, dict):
        yield _part(content, path)
    for index, part in enumerate(items(content)):
        part = obj(part)
        yield _part(part, f"{path}[{index}]")
        if part.get("annotations"):
            yield Part("json", compact({"annotations": part["annotations"]}))


def _part(part: dict[str, Any], path: str) -> Part:
    text = part.get("text", part.get("refusal"))
    if isinstance(text, str):
        return Part("text", text, f"{path}.text")
    is_image = words(part.get("type")) in ("input_image", "computer_screenshot", "image_url")
    if isinstance(part.get("image_url"), str):
        return Part("image", part["image_url"], f"{path}.image_url", words(part.get("detail")))
    for key in ("file_data", "file_url", "data", "file_id"):
        if isinstance(part.get(key), str):
            return Part("image" if is_image else "file", part[key], f"{path}.{key}", words(part.get("detail")))
    return Part("json", compact(part), path)

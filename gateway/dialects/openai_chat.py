"""POST /v1/chat/completions, and the legacy /v1/completions and /v1/embeddings beside it (OpenAI API reference)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.content.json_text import items, number, obj, words
from gateway.content.json_written import compact
from gateway.content.openai_fields import Usage, error_of, openai_usage
from gateway.dialects.base import Answer, Part, Question, Turn, settings_of
from gateway.translation.chat_answer import Calls

# Where Anthropic's and Gemini's own parts hold a picture.
IMAGE_PLACES = (
    ("source", "data"),
    ("source", "url"),
    ("inlineData", "data"),
    ("inline_data", "data"),
    ("fileData", "fileUri"),
    ("file_data", "file_uri"),
)
# Members of a message that are read, or say nothing that was said.
MEMBERS = frozenset(
    [
        "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "reasoning_content",
        "reasoning", "reasoning_details", "images", "cache_control", "extra_content", "id", "index", "content_blocks",
    ]
)  # fmt: skip
EMPTY: tuple[Any, ...] = (None, "", [], {})


class OpenAIChat:
    name = "chat"
    title = "Chat"
    end_marks: tuple[bytes, ...] = (b"data: [DONE]", b"data:[DONE]")

    def read_question(self, doc: Any) -> Question:
        turns = [
            Turn(
                words(obj(message).get("role")) or "user",
                tuple(_message_parts(message, f"messages[{index}]")),
                f"messages[{index}]",
            )
            for index, message in enumerate(items(obj(doc).get("messages")))
        ]
        return Question(tuple(turns), settings_of(doc, frozenset({"messages"})))

    def read_answer(self, doc: Any) -> Answer:
        choices = items(obj(doc).get("choices"))
        turns = [
            _answer_turn(obj(choice).get("message"), f"choices[{index}].message")
            for index, choice in enumerate(choices)
        ]
        return Answer(
            turns=tuple(turn for turn in turns if turn.parts),
            model=words(obj(doc).get("model")),
            finish_reason=words(obj(choices[0]).get("finish_reason")) if choices else "",
            usage=openai_usage(doc),
            error=error_of(doc),
            id=words(obj(doc).get("id")),
        )

    def read_stream(self, events: Iterable[Any]) -> Answer:
        model = finish = error = id = ""
        usage = Usage()
        folded = FoldedStream()
        for event in map(obj, events):
            id = id or words(event.get("id"))
            model = words(event.get("model")) or model
            if event.get("usage") or obj(event.get("x_groq")).get("usage"):
                usage = openai_usage(event)
            error = error_of(event) or error
            for choice in items(event.get("choices")):
                finish = words(obj(choice).get("finish_reason")) or finish
                folded.add(obj(choice))
        turns = (
            _answer_turn(message, f"choices[{index}].message") for index, message in sorted(folded.messages.items())
        )
        return Answer(
            tuple(turn for turn in turns if turn.parts), model, finish, usage, error, bool(finish or error), id
        )


def _answer_turn(message: Any, path: str) -> Turn:
    return Turn("assistant", tuple(_message_parts(message, path)), path)


class FoldedStream:
    """The messages that a stream's deltas add up to, whatever members they have: texts are joined, lists are made longer."""

    def __init__(self) -> None:
        self.messages: dict[int, dict[str, Any]] = {}
        self.calls = Calls()

    def add(self, choice: dict[str, Any]) -> None:
        index = number(choice.get("index")) or 0
        message = self.messages.setdefault(index, {})
        delta = obj(choice.get("delta"))
        if words(choice.get("text")):
            delta = {"content": choice["text"], **delta}
        for name, value in delta.items():
            if name == "tool_calls":
                self._add_calls(message, items(value), index)
            elif name not in ("role", "id", "type"):
                message[name] = _joined(message.get(name), value)

    def _add_calls(self, message: dict[str, Any], calls: list[Any], choice: int) -> None:
        kept: list[dict[str, Any]] = message.setdefault("tool_calls", [])
        for at, call in enumerate(calls):
            call, told = obj(call), number(obj(call).get("index"))
            slot = self.calls.slot(choice, at if told is None else told, words(call.get("id")))
            if slot == len(kept):
                kept.append({"type": call.get("type") or "function"})
            for holder in ("function", "custom"):
                if obj(call.get(holder)):
                    kept[slot][holder] = _with_piece(obj(kept[slot].get(holder)), call[holder])


def _with_piece(held: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """A call's name comes once, or with every piece; its arguments in pieces."""
    name = words(held.get("name")) or words(piece.get("name"))
    key = "input" if "input" in piece or "input" in held else "arguments"
    return {"name": name, key: words(held.get(key)) + words(piece.get(key))}


def _joined(held: Any, value: Any) -> Any:
    """A member's value so far with the next piece of it."""
    if isinstance(held, str) and isinstance(value, str):
        return held + value
    if held is None or held == "":
        return value if value is not None else held
    if isinstance(held, dict) and isinstance(value, dict):
        return held | {name: _joined(held.get(name), inner) for name, inner in value.items()}
    if isinstance(held, list) or isinstance(value, list):
        return _lengthened(_as_parts(held), _as_parts(value))
    return value if value is not None else held


def _as_parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [{"type": "text", "text": value}] if value else []


def _lengthened(held: list[Any], more: list[Any]) -> list[Any]:
    """A list with the next piece of it: a text that goes on where the last part was a text is one part with it."""
    parts = list(held)
    for part in more:
        last = obj(parts[-1]) if parts else {}
        goes_on = set(obj(part)) == {"type", "text"} == set(last) and last["type"] == part["type"]
        if goes_on and isinstance(part["text"], str) and isinstance(last["text"], str):
            parts[-1] = {"type": part["type"], "text": last["text"] + part["text"]}
        elif obj(part).get("type") == last.get("type") == "thinking":
            parts[-1] = {"type": "thinking", "thinking": _thought(last) + _thought(part)}
        else:
            parts.append(part)
    return parts


def _thought(part: dict[str, Any]) -> str:
    thought = part.get("thinking")
    return words(thought) or "".join(words(obj(one).get("text")) for one in items(thought))


def _message_parts(message: Any, path: str) -> Iterator[Part]:
    """In the order in which a model says them: its reasoning, words and pictures, what it calls; and whatever is left."""
    message = obj(message)
    thought = words(message.get("reasoning_content")) or words(message.get("reasoning")) or _details(message)
    if thought:
        yield Part("reasoning", thought)
    content = message.get("content")
    if words(content):
        yield Part("text", content, f"{path}.content")
    for index, part in enumerate(items(content)):
        yield _part(part, f"{path}.content[{index}]")
    if words(message.get("refusal")):
        yield Part("text", message["refusal"])
    for index, image in enumerate(items(message.get("images"))):
        yield _part(image, f"{path}.images[{index}]")
    audio = obj(message.get("audio"))
    if words(audio.get("transcript")):
        yield Part("text", audio["transcript"])
    if words(audio.get("data")):
        yield Part("file", audio["data"], f"{path}.audio.data")
    yield from _calls(message)
    left = {name: value for name, value in message.items() if name not in MEMBERS and value not in EMPTY}
    if left:
        yield Part("json", compact(left))


def _details(message: dict[str, Any]) -> str:
    """OpenRouter's list of reasoning, where it stands alone."""
    details = [obj(one) for one in items(message.get("reasoning_details"))]
    return "".join(words(one.get("text")) or words(one.get("summary")) for one in details)


def _calls(message: dict[str, Any]) -> Iterator[Part]:
    for call in [*items(message.get("tool_calls")), {"function": message.get("function_call")}]:
        call = obj(call)
        function = obj(call.get("function")) or obj(call.get("custom"))
        given = function.get("arguments", function.get("input"))
        if function:
            said = given if isinstance(given, str) else compact(given)
            yield Part("tool", f"{words(function.get('name'))} {said}".strip(), detail=words(call.get("id")))
        elif call.get("type"):
            yield Part("json", compact(call))


def _part(part: Any, path: str) -> Part:
    """One content part: text, a picture in any of its spellings, or something shown as JSON."""
    if isinstance(part, str):
        return Part("text", part)
    part = obj(part)
    if isinstance(part.get("text"), str):
        return Part("text", part["text"], f"{path}.text")
    if part.get("type") == "thinking":
        return Part("reasoning", _thought(part))
    return _picture(part, path) or _file(part, path) or Part("json", compact(part), path)


def _picture(part: dict[str, Any], path: str) -> Part | None:
    image = part.get("image_url")
    if isinstance(image, str):
        return Part("image", image, f"{path}.image_url", words(part.get("detail")))
    if isinstance(image, dict):
        return Part("image", words(image.get("url")), f"{path}.image_url.url", words(image.get("detail")))
    for holder, key in IMAGE_PLACES:
        if part.get("type", "image") == "image" and isinstance(obj(part.get(holder)).get(key), str):
            return Part("image", part[holder][key], f"{path}.{holder}.{key}")
    if part.get("type") == "image" and isinstance(part.get("data"), str):
        return Part("image", part["data"], f"{path}.data")
    return None


def _file(part: dict[str, Any], path: str) -> Part | None:
    for holder, key in (
        ("file", "file_data"),
        ("file", "file_id"),
        ("input_audio", "data"),
        ("video_url", "url"),
        ("source", "data"),
        ("source", "url"),
    ):
        if isinstance(obj(part.get(holder)).get(key), str):
            return Part("file", part[holder][key], f"{path}.{holder}.{key}")
    return None


class OpenAICompletions(OpenAIChat):
    name = "completions"
    title = "Completion"

    def read_question(self, doc: Any) -> Question:
        prompt = obj(doc).get("prompt")
        texts = [prompt] if isinstance(prompt, str) else [words(item) for item in items(prompt)]
        turns = tuple(Turn("user", (Part("text", text),)) for text in texts if text)
        return Question(turns, settings_of(doc, frozenset({"prompt"})))

    def read_answer(self, doc: Any) -> Answer:
        choices = items(obj(doc).get("choices"))
        turns = tuple(Turn("assistant", (Part("text", words(obj(c).get("text"))),)) for c in choices)
        return Answer(
            turns,
            model=words(obj(doc).get("model")),
            finish_reason=words(obj(choices[0]).get("finish_reason")) if choices else "",
            usage=openai_usage(doc),
            error=error_of(doc),
        )


class OpenAIEmbeddings(OpenAIChat):
    name = "embeddings"
    title = "Embedding"

    def read_question(self, doc: Any) -> Question:
        given = obj(doc).get("input")
        texts = [given] if isinstance(given, str) else [words(item) for item in items(given)]
        turns = tuple(Turn("user", (Part("text", text),)) for text in texts if text)
        return Question(turns, settings_of(doc, frozenset({"input"})))

    def read_answer(self, doc: Any) -> Answer:
        vectors = items(obj(doc).get("data"))
        said = f"{len(vectors)} embedding{'' if len(vectors) == 1 else 's'}" if vectors else ""
        turns = (Turn("assistant", (Part("text", said),)),) if said else ()
        return Answer(turns, words(obj(doc).get("model")), usage=openai_usage(doc), error=error_of(doc))

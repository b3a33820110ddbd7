"""POST /v1/chat/completions, and the legacy /v1/completions and /v1/embeddings beside it (OpenAI API reference)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.content.json_text import compact, items, obj, words
from gateway.content.openai_fields import Usage, error_of, openai_usage
from gateway.dialects.base import Answer, Part, Question, Turn, settings_of

# Where Anthropic's and Gemini's own parts hold a picture.
IMAGE_PLACES = (
    ("source", "data"),
    ("source", "url"),
    ("inlineData", "data"),
    ("inline_data", "data"),
    ("fileData", "fileUri"),
    ("file_data", "file_uri"),
)


class OpenAIChat:
    name = "chat"
    title = "Chat"
    end_marks: tuple[bytes, ...] = (b"data: [DONE]", b"data:[DONE]")

    def read_question(self, doc: Any) -> Question:
        turns = [
            Turn(
                words(obj(message).get("role")) or "user",
                tuple(_message_parts(message, f"messages[{index}]")),
            )
            for index, message in enumerate(items(obj(doc).get("messages")))
        ]
        return Question(tuple(turns), settings_of(doc, frozenset({"messages"})))

    def read_answer(self, doc: Any) -> Answer:
        choices = items(obj(doc).get("choices"))
        turns = [
            Turn("assistant", tuple(_message_parts(obj(choice).get("message"), f"choices[{index}].message")))
            for index, choice in enumerate(choices)
        ]
        return Answer(
            turns=tuple(turn for turn in turns if turn.parts),
            model=words(obj(doc).get("model")),
            finish_reason=words(obj(choices[0]).get("finish_reason")) if choices else "",
            usage=openai_usage(doc),
            error=error_of(doc),
        )

    def read_stream(self, events: Iterable[Any]) -> Answer:
        model = finish = error = ""
        usage = Usage()
        spoken: dict[int, list[str]] = {}
        calls: dict[tuple[int, int], list[str]] = {}
        for event in events:
            model = words(obj(event).get("model")) or model
            usage = openai_usage(event) if obj(event).get("usage") else usage
            error = error_of(event) or error
            for choice in items(obj(event).get("choices")):
                finish = words(obj(choice).get("finish_reason")) or finish
                _follow(obj(choice), spoken, calls)
        turns = [Turn("assistant", (Part("text", "".join(text)),)) for text in spoken.values() if any(text)]
        turns += [Turn("assistant", (Part("tool", "".join(text)),)) for text in calls.values()]
        return Answer(tuple(turns), model, finish, usage, error, complete=bool(finish or error))


def _follow(choice: dict[str, Any], spoken: dict[int, list[str]], calls: dict[tuple[int, int], list[str]]) -> None:
    """Add one streamed choice to what was said so far."""
    index = choice.get("index") if isinstance(choice.get("index"), int) else 0
    delta = obj(choice.get("delta"))
    spoken.setdefault(index or 0, []).append(
        words(delta.get("content")) or words(delta.get("refusal")) or words(choice.get("text"))
    )
    for call in items(delta.get("tool_calls")):
        function = obj(obj(call).get("function"))
        number = obj(call).get("index")
        line = calls.setdefault((index or 0, number if isinstance(number, int) else 0), [])
        name = words(function.get("name"))
        line.append((f"{name} " if name else "") + words(function.get("arguments")))


def _message_parts(message: Any, path: str) -> Iterable[Part]:
    message = obj(message)
    content = message.get("content")
    if isinstance(content, str):
        yield Part("text", content)
    for index, part in enumerate(items(content)):
        yield _part(part, f"{path}.content[{index}]")
    for name in ("reasoning_content", "refusal"):
        if words(message.get(name)):
            yield Part("text", words(message[name]))
    for index, image in enumerate(items(message.get("images"))):
        yield _part(image, f"{path}.images[{index}]")
    for call in items(message.get("tool_calls")):
        function = obj(obj(call).get("function"))
        yield Part("tool", f"{words(function.get('name'))} {words(function.get('arguments'))}".strip())


def _part(part: Any, path: str) -> Part:
    """One content part: text, a picture in any of its spellings, or something shown as JSON."""
    if isinstance(part, str):
        return Part("text", part)
    part = obj(part)
    if isinstance(part.get("text"), str):
        return Part("text", part["text"])
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
    for holder, key in (
        ("file", "file_data"),
        ("input_audio", "data"),
        ("video_url", "url"),
        ("source", "data"),
        ("source", "url"),
    ):
        if isinstance(obj(part.get(holder)).get(key), str):
            return Part("file", part[holder][key], f"{path}.{holder}.{key}")
    return Part("json", compact(part))


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

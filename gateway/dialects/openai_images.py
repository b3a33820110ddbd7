"""POST /v1/images/generations, /edits and /variations; the last two are multipart, their fields read into a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.content.json_text import items, obj, words
from gateway.content.openai_fields import error_of, openai_usage
from gateway.dialects.base import Answer, Part, Question, Turn, settings_of


class OpenAIImages:
    name = "images"
    title = "Image"
    end_marks: tuple[bytes, ...] = (b"event: image_generation.completed", b"event: image_edit.completed")

    def read_question(self, doc: Any) -> Question:
        prompt = words(obj(doc).get("prompt"))
        files = [Part("image", position=words(name)) for name in items(obj(doc).get("__files__"))]
        parts = ([Part("text", prompt)] if prompt else []) + files
        turns = (Turn("user", tuple(parts)),) if parts else ()
        return Question(turns, settings_of(doc, frozenset({"prompt", "__files__"})))

    def read_answer(self, doc: Any) -> Answer:
        parts: list[Part] = []
        for index, item in enumerate(items(obj(doc).get("data"))):
            if words(obj(item).get("revised_prompt")):
                parts.append(Part("text", item["revised_prompt"]))
            for key in ("b64_json", "url"):
                if words(obj(item).get(key)):
                    parts.append(Part("image", item[key], f"data[{index}].{key}"))
        turns = (Turn("assistant", tuple(parts)),) if parts else ()
        return Answer(turns, words(obj(doc).get("model")), usage=openai_usage(doc), error=error_of(doc))

    def read_stream(self, events: Iterable[Any]) -> Answer:
        complete, usage, error = False, openai_usage(None), ""
        for event in events:
            error = error_of(event) or error
            if words(obj(event).get("type")).endswith(".completed"):
                complete, usage = True, openai_usage(event)
        return Answer(usage=usage, error=error, complete=complete or bool(error))

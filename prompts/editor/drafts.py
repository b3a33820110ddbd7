"""A template while it is edited: from the fields of the form to messages and parts, and back. Pure.

Fields are named by place: `m0-role` is a message's role, `m0-1-text` the text of its second part. What the form has no field
for, such as tool calls, stays in `rest` as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prompts.language import mustache
from prompts.language.json_text import parsed, value_of
from prompts.language.mustache import Partials
from prompts.language.rendering import OWN, PICTURE, PromptProblem, Template

if TYPE_CHECKING:
    from prompts.models import PromptVersion

ROLES = ("system", "user", "assistant", "tool")
DETAILS = ("", "auto", "low", "high")
ACT = re.compile(r"([a-z-]+)(?::(\d+))?(?::(\d+))?")
# The parameters with a field of their own; every other one stands in `more` as JSON.
NUMBERS = {"max_tokens": int, "temperature": float, "top_p": float, "seed": int}
WORDS = ("reasoning_effort",)
DOCUMENTS = ("response_format", "tools", "stop")
PARAMETERS = (*NUMBERS, *WORDS, *DOCUMENTS)


@dataclass(slots=True)
class Part:
    """`kind` is text, image, or other: a part that is kept as it is. `when` and `empty` are those of `rendering`.

    `name` is what the names of its fields begin with, `place` what `act` calls it; see `numbered`.
    """

    kind: str = "text"
    text: str = ""
    url: str = ""
    detail: str = ""
    when: str = ""
    empty: str = ""
    rest: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    place: str = ""

    @property
    def rest_json(self) -> str:
        return json.dumps(self.rest)

    @property
    def picture(self) -> str:
        """The hash of a picture that is kept here, when the slot holds one."""
        match = PICTURE.fullmatch(self.url.strip())
        return match[1] if match else ""

    @property
    def variable(self) -> str:
        """The name, when the slot is one variable as a whole."""
        names = list(mustache.details(mustache.parse(self.url)).values)
        return names[0] if len(names) == 1 and self.url.strip().startswith("{{") else ""


@dataclass(slots=True)
class Message:
    role: str = "user"
    parts: list[Part] = field(default_factory=lambda: [Part()])
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def rest_json(self) -> str:
        return json.dumps(self.rest)


@dataclass(slots=True)
class Draft:
    """Everything that a version will say, and what is wrong with it, by the name of the field."""

    messages: list[Message] = field(default_factory=list)
    raw: str = ""
    is_raw: bool = False
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def template(self) -> Template:
        return Template(self.raw if self.is_raw else json.dumps(self._messages(), ensure_ascii=False), self.is_raw)

    @property
    def json(self) -> str:
        return self.raw if self.is_raw else json.dumps(self._messages(), ensure_ascii=False, indent=2)

    def _messages(self) -> list[dict[str, Any]]:
        return [_message(one) for one in self.messages]


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that the template uses: as text, image or condition, which is what a section asks for, or repeats.

    One of the kind unused has an example value, and no place in the template any more.
    """

    name: str
    kind: str
    value: str

    @property
    def is_used(self) -> bool:
        return self.kind != "unused"

    @property
    def literal(self) -> str:
        """The name as Python and JavaScript write it."""
        return json.dumps(self.name, ensure_ascii=False)

    @property
    def picture(self) -> str:
        match = PICTURE.fullmatch(self.value.strip())
        return match[1] if match else ""


NEW = Draft(
    model="@sandbox/vision",
    messages=[
        Message("system", [Part(text="You describe pictures in one sentence.")]),
        Message("user", [Part(text="What is in this picture?"), Part("image", url="{{picture}}")]),
    ],
)


def from_content(text: str, *, is_raw: bool, model: str, parameters: dict[str, Any], examples: dict[str, Any]) -> Draft:
    """The draft of a saved version."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in examples.items()}
    draft = Draft(raw=text, is_raw=is_raw, model=model, parameters=dict(parameters), examples=values)
    if not is_raw:
        draft.messages = _read_messages(json.loads(text))
    return draft


def of_version(version: PromptVersion) -> Draft:
    if version.prompt.kind == "partial":
        return Draft(raw=version.text, is_raw=True, examples=version.examples)
    return from_content(**version.content())


def from_form(form: Mapping[str, str]) -> Draft:
    """The draft that was posted, with its errors."""
    draft = Draft(
        is_raw=form.get("is_raw") == "on",
        raw=form.get("json", ""),
        model=form.get("model", "").strip(),
        examples={name[2:]: value for name, value in form.items() if name.startswith("v-")},
    )
    for index in _numbers(form, r"m(\d{1,4})-role"):
        parts = [_part_of_form(form, f"m{index}-{at}-") for at in _numbers(form, rf"m{index}-(\d{{1,4}})-kind")]
        draft.messages.append(Message(form[f"m{index}-role"], parts, _object(form.get(f"m{index}-rest", ""))))
    _read_parameters(draft, form)
    if form.get("act") == "from-json" or (not draft.messages and not draft.is_raw):
        _read_json(draft)
    return draft


def act(draft: Draft, what: str) -> None:
    """One change to the shape: `add-text:0`, `add-image:0`, `up:0:1`, `down:0`, `remove:0:1`, `add-message`."""
    match = ACT.fullmatch(what)
    if match is None:
        return
    verb, at = match[1], [int(one) for one in match.groups()[1:] if one is not None]
    if verb == "add-message":
        draft.messages.append(Message("user" if draft.messages else "system"))
    elif at and at[0] < len(draft.messages):
        siblings: list[Any] = draft.messages if len(at) == 1 else draft.messages[at[0]].parts
        _change(draft.messages[at[0]], siblings, verb, at[-1])


def _change(message: Message, siblings: list[Any], verb: str, at: int) -> None:
    if verb in ("add-text", "add-image"):
        message.parts.append(Part("text") if verb == "add-text" else Part("image"))
    elif at >= len(siblings):
        return
    elif verb == "remove":
        del siblings[at]
    elif verb in ("up", "down"):
        to = max(0, at - 1) if verb == "up" else at + 1
        siblings.insert(to, siblings.pop(at))


def variables(draft: Draft, partials: Partials) -> list[Variable]:
    """Those that the template uses, in its order, then those that it used."""
    kinds = draft.template.variable_kinds(partials)
    kinds |= {name: "unused" for name, value in draft.examples.items() if value and name not in kinds}
    return [Variable(name, kind, draft.examples.get(name, "")) for name, kind in kinds.items()]


def numbered(draft: Draft) -> list[Part]:
    """All parts, each told where it stands now."""
    for at, message in enumerate(draft.messages):
        for place, part in enumerate(message.parts):
            part.name, part.place = f"m{at}-{place}", f"{at}:{place}"
    return [part for message in draft.messages for part in message.parts]


def slips(draft: Draft, partials: Partials) -> dict[str, list[str]]:
    """What is hardly meant so, by the name of the field."""
    texts = {"json": draft.raw} if draft.is_raw else {}
    for part in numbered(draft):
        texts |= {f"{part.name}-text": part.text} if part.kind == "text" else {f"{part.name}-url": part.url}
    return {name: mustache.slips(text) + _unknown(text, partials) for name, text in texts.items()}


def _unknown(text: str, partials: Partials) -> list[str]:
    named = mustache.details(mustache.parse(text)).partials
    return [f"There is no partial {name}; nothing stands here." for name in named if partials(name) is None]


def values(draft: Draft, partials: Partials) -> dict[str, Any]:
    """The example values as a call gives them: JSON where it is meant as such, text otherwise."""
    return {one.name: value_of(one.value) for one in variables(draft, partials) if one.kind != "unused"}


def _read_messages(document: Any) -> list[Message]:
    return [
        Message(
            message["role"],
            [_read_part(part) for part in _parts_of(message)],
            {key: value for key, value in message.items() if key not in ("role", "content")},
        )
        for message in document
    ]


def _parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else [] if content is None else [{"type": "text", "text": content}]


def _read_part(part: dict[str, Any]) -> Part:
    own = part[OWN] if isinstance(part.get(OWN), dict) else {}
    when, empty = str(own.get("when", "")), str(own.get("empty", ""))
    if part["type"] == "text" and set(part) <= {"type", "text", OWN}:
        return Part("text", text=str(part.get("text", "")), when=when)
    link = part.get("image_url") if part["type"] == "image_url" else None
    if isinstance(link, str | dict) and set(part) <= {"type", "image_url", OWN}:
        found = link if isinstance(link, dict) else {"url": link}
        if set(found) <= {"url", "detail"}:
            return Part(
                "image", url=str(found.get("url", "")), detail=str(found.get("detail", "")), when=when, empty=empty
            )
    return Part("other", rest=part)


def _message(message: Message) -> dict[str, Any]:
    parts = [_part(part) for part in message.parts]
    is_plain = len(parts) == 1 and set(parts[0]) == {"type", "text"}
    content: Any = parts[0]["text"] if is_plain else parts
    return {"role": message.role, **({"content": content} if parts else {}), **message.rest}


def _part(part: Part) -> dict[str, Any]:
    own = {name: value for name, value in (("when", part.when.strip()), ("empty", part.empty)) if value}
    if part.kind == "text":
        return {"type": "text", "text": part.text} | ({OWN: own} if own else {})
    if part.kind == "image":
        link = {"url": part.url.strip()} | ({"detail": part.detail} if part.detail else {})
        return {"type": "image_url", "image_url": link} | ({OWN: own} if own else {})
    return part.rest


def _part_of_form(form: Mapping[str, str], at: str) -> Part:
    kind = form[f"{at}kind"]
    if kind not in ("text", "image"):
        return Part("other", rest=_object(form.get(f"{at}rest", "")))
    named: dict[str, Any] = {
        name: form.get(at + name, "").replace("\r\n", "\n") for name in ("text", "url", "detail", "when", "empty")
    }
    return Part(kind, **named)


def _read_parameters(draft: Draft, form: Mapping[str, str]) -> None:
    draft.given = {name[2:]: value for name, value in form.items() if name.startswith("p-")}
    for name, kind in NUMBERS.items():
        if text := draft.given.get(name, "").strip():
            try:
                draft.parameters[name] = kind(text)
            except ValueError:
                draft.errors[name] = f"{text[:30]!r} is not a {'whole number' if kind is int else 'number'}."
    for name in WORDS:
        if text := draft.given.get(name, "").strip():
            draft.parameters[name] = text
    for name in (*DOCUMENTS, "more"):
        if text := draft.given.get(name, "").strip():
            _read_document(draft, name, text)


def _read_document(draft: Draft, name: str, text: str) -> None:
    try:
        found = parsed(text)
    except ValueError as error:
        draft.errors[name] = f"This is not JSON: {error}."
        return
    if name != "more":
        draft.parameters[name] = found
    elif isinstance(found, dict):
        draft.parameters |= found
    else:
        draft.errors[name] = 'Other parameters are a JSON object such as {"top_k": 40}.'


def _read_json(draft: Draft) -> None:
    """The JSON view was edited: its messages take the place of the form's."""
    try:
        Template(draft.raw, draft.is_raw).check()
        if not draft.is_raw:
            draft.messages = _read_messages(json.loads(draft.raw))
    except PromptProblem as problem:
        draft.errors["json"] = str(problem)


def shown_parameters(draft: Draft) -> dict[str, str]:
    """What the fields show: what was typed, or what is saved."""
    saved = {name: _as_text(value) for name, value in draft.parameters.items() if name in PARAMETERS}
    rest = {name: value for name, value in draft.parameters.items() if name not in PARAMETERS}
    return saved | ({"more": json.dumps(rest, ensure_ascii=False)} if rest else {}) | draft.given


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _numbers(form: Mapping[str, str], pattern: str) -> list[int]:
    return sorted(int(match[1]) for name in form if (match := re.fullmatch(pattern, name)))


def _object(text: str) -> dict[str, Any]:
    try:
        found = parsed(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

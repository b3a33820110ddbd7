"""From a template and its variables to the messages of a chat call. Pure: partials and kept pictures come from the caller.

A template is the JSON text of a list of messages. In the usual kind each string of it is a Mustache template of its own, so
that no value can break the JSON. A raw one is one Mustache template as a whole, so that sections may stand around parts; its
values are escaped for where they stand, inside a string or outside, and commas that are left over are taken away.

A part may carry `loupe`, which is left out of what is sent:
    {"when": "has_image"}   the part is there when the variable is true; `!has_image` when it is not
    {"empty": "refuse"}     a slot without a picture is an error; by default the part is left out
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prompts.language import mustache
from prompts.language.budget import Budget, TooMuch
from prompts.language.json_text import parsed, written
from prompts.language.mustache import Partials, Value

OWN = "loupe"
PICTURE = re.compile(r"(?:loupe:)?sha256:([0-9a-f]{64})")
WHOLE_VARIABLE = re.compile(r"\s*\{\{\{?\s*([^{}#^/!>&=]+?)\s*\}?\}\}\s*")
# How base64 of these begins: the bytes that every such file begins with.
BASE64 = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "SUkqA": "image/tiff",
    "TU0AK": "image/tiff",
}
IMAGE_FIELDS = {"image_url": "image_url", "input_image": "image_url", "image": "image_url"}
Pictures = Callable[[str], str]
Message = dict[str, Any]


class PromptProblem(Exception):
    """A template or a variable that cannot be used. `place` is where, as `messages[0].content[1]`."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Template:
    """`text` is the JSON of the messages, in which tags stand."""

    text: str
    is_raw: bool = False

    def check(self) -> None:
        """Raises PromptProblem when no variables could make messages of it."""
        if self.is_raw:
            render_messages(self, {}, partials=lambda name: None, pictures=lambda sha256: "")
        else:
            _check_messages(_document(self.text))

    def details(self, partials: Partials) -> mustache.Details:
        """The names that it uses, those of its conditions and of its partials, and theirs, included."""
        found = mustache.Details()
        texts = [self.text] if self.is_raw else list(_strings(_document(self.text)))
        while texts:
            used = mustache.details(mustache.parse(texts.pop(0)))
            texts += [partials(name) or "" for name in used.partials if name not in found.partials]
            found.values |= used.values
            found.sections |= used.sections
            found.partials |= used.partials
        if not self.is_raw:
            found.sections |= dict.fromkeys(_conditions(_document(self.text)))
        return found

    def variable_kinds(self, partials: Partials) -> dict[str, str]:
        """Each variable in the template's order, as text, image or condition. Of one that cannot be read nothing is used."""
        try:
            found, images = self.details(partials), self.image_variables()
        except PromptProblem:
            return {}
        return {
            name: "image" if name in images else "condition" if name in found.sections else "text"
            for name in found.variables
        }

    def image_variables(self) -> set[str]:
        """Variables that stand in the address of a picture."""
        if self.is_raw:
            return set(re.findall(r'"url"\s*:\s*"\{\{\{?\s*([^{}#^/!>&=]+?)\s*\}', self.text))
        urls = (url for part in _parts(_document(self.text)) if (url := _url_of(part)) is not None)
        return {name for url in urls for name in mustache.details(mustache.parse(url)).values}


def render_messages(
    template: Template,
    variables: Mapping[str, Any],
    *,
    partials: Partials,
    pictures: Pictures,
    budget: Budget | None = None,
) -> list[Message]:
    """The messages, with each picture as an address that a provider takes.

    Args:
        partials: the text of a partial by what stands in `{{>...}}`; None when there is none.
        pictures: the data URL of a kept picture by its hash; raises LookupError when there is none.
        budget: how much it may do; by default what a thread of its own may.

    Raises:
        PromptProblem: what is wrong, and where. TooMuch: a budget that was given is spent.
    """
    try:
        messages = _messages(template, _Rendering(variables, partials, budget or Budget()))
    except mustache.TooDeep as error:
        raise PromptProblem(f"Partials include each other without end: {error}.") from None
    except TooMuch as error:
        if budget is not None:
            raise
        raise PromptProblem(f"The template cannot be rendered with these variables: {error}.") from None
    found = (_with_pictures(message, index, pictures) for index, message in enumerate(messages))
    return [message for message in found if message is not None]


@dataclass(frozen=True, slots=True)
class _Rendering:
    """What one rendering has to do with."""

    variables: Mapping[str, Any]
    partials: Partials
    budget: Budget

    def text(self, template: str) -> str:
        return mustache.render(mustache.parse(template), self.variables, self.partials, self.budget)


def _messages(template: Template, rendering: _Rendering) -> list[Message]:
    if template.is_raw:
        return _check_messages(_from_raw(template.text, rendering))
    return [_rendered(message, rendering) for message in _check_messages(_document(template.text))]


# The usual kind: each string is a template


@lru_cache(maxsize=1024)
def _document(text: str) -> Any:
    try:
        return parsed(text)
    except ValueError as error:
        raise PromptProblem(f"The template is not JSON: {error}.") from None


def _rendered(value: Any, rendering: _Rendering) -> Any:
    if isinstance(value, str):
        return rendering.text(value) if "{{" in value else value
    if isinstance(value, list):
        return [_rendered(one, rendering) if _is_wanted(one, rendering.variables) else None for one in value]
    if isinstance(value, dict):
        return {key: _field(key, one, rendering) for key, one in value.items()}
    return value


def _field(key: str, value: Any, rendering: _Rendering) -> Any:
    if key == OWN:
        return value
    if key == "image_url":  # a variable may bring its own `detail`
        url = value.get("url") if isinstance(value, dict) else value
        match = WHOLE_VARIABLE.fullmatch(url) if isinstance(url, str) else None
        given = mustache.look_up(match[1], [rendering.variables]) if match else None
        if isinstance(given, Mapping) and isinstance(given.get("url"), str):
            return (value if isinstance(value, dict) else {}) | dict(given)
    return _rendered(value, rendering)


def _is_wanted(part: Any, variables: Mapping[str, Any]) -> bool:
    when = part[OWN].get("when", "") if isinstance(part, dict) and isinstance(part.get(OWN), dict) else ""
    if not when:
        return True
    is_true = mustache.is_true(mustache.look_up(str(when).lstrip("!^ "), [variables]))
    return is_true != str(when).startswith(("!", "^"))


# Raw: the whole is a template


def _from_raw(text: str, rendering: _Rendering) -> Any:
    events = mustache.events(mustache.parse(text), rendering.variables, rendering.partials, rendering.budget)
    made = _without_loose_commas(_written(events, rendering.budget))
    try:
        return _without_nulls(parsed(made))
    except ValueError as error:
        raise PromptProblem(f"The template does not make JSON: {error}. It made: {made[:300]}") from None


def _written(events: Iterable[str | Value], budget: Budget) -> str:
    """Values are escaped for the JSON around them."""
    pieces: list[str] = []
    inside = escaped = False
    for event in events:
        if isinstance(event, Value):
            pieces.append(_in_string(event.value) if inside else _outside(event.value))
            budget.write(len(pieces[-1]))
            continue
        pieces.append(event)
        budget.write(len(event))
        for c in event:
            if escaped:
                escaped = False
            elif c == "\\":
                escaped = inside
            elif c == '"':
                inside = not inside
    return "".join(pieces)


def _in_string(value: Any) -> str:
    return json.dumps(mustache.plain(value), ensure_ascii=False)[1:-1]


def _outside(value: Any) -> str:
    """What is JSON already stays so, that tools and messages can be given as text; any other text becomes a string."""
    if isinstance(value, str) and value.strip():
        try:
            parsed(value)
            return value
        except ValueError:
            return json.dumps(value, ensure_ascii=False)
    if value is None or value == "" or isinstance(value, float):
        return mustache.plain(value) or "null"
    return written(value)


# A string that is not closed is taken to the end: were it no match, every quote in it would be tried anew.
LOOSE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*(?:[,\]}]|\Z))|(?<=[\[{])\s*,', re.DOTALL)


def _without_loose_commas(text: str) -> str:
    """Sections that came to nothing leave commas before a bracket, after one, or beside another comma."""
    previous = None
    while previous != text:
        previous = text
        text = LOOSE.sub(lambda found: found[0] if found[0][0] == '"' else "", text)
    return text


def _without_nulls(value: Any) -> Any:
    """A variable that is missing between two parts leaves null, which no list of messages or parts holds."""
    if not isinstance(value, list):
        return value
    kept = [one for one in value if one is not None]
    for one in kept:
        if isinstance(one, dict) and isinstance(one.get("content"), list):
            one["content"] = [part for part in one["content"] if part is not None]
    return kept


# Both kinds


def _check_messages(messages: Any) -> list[Message]:
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise PromptProblem("A template is a JSON list of messages, each an object with role and content.")
    for index, message in enumerate(messages):
        if not isinstance(message.get("role"), str) or not message["role"]:
            raise PromptProblem("a message needs a role, such as user.", f"messages[{index}]")
        content = message.get("content")
        if not (content is None or isinstance(content, str | list)):
            raise PromptProblem("content is a text or a list of parts.", f"messages[{index}]")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise PromptProblem("a part is an object with a type.", f"messages[{index}].content[{at}]")
    return messages


def _with_pictures(message: Message, index: int, pictures: Pictures) -> Message | None:
    """None for a message whose parts were all left out. A part that is not wanted is None, so that others keep their place."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    kept = [
        shown
        for at, part in enumerate(parts)
        if part is not None and (shown := _with_picture(part, f"messages[{index}].content[{at}]", pictures)) is not None
    ]
    return {**message, "content": kept} if kept or not parts else None


def _with_picture(part: Message, place: str, pictures: Pictures) -> Message | None:
    own = part.get(OWN) if isinstance(part.get(OWN), dict) else {}
    part = {key: value for key, value in part.items() if key != OWN}
    url = _url_of(part)
    if url is None:
        return part
    if not url.strip():
        if own and own.get("empty") == "refuse":
            raise PromptProblem(f"the slot {own.get('name') or 'for a picture'} is empty, and must not be.", place)
        return None
    return _with_url(part, _address(url.strip(), place, pictures))


def _url_of(part: Message) -> str | None:
    """The address of a part that is a picture; None for any other part."""
    if part.get("type") not in IMAGE_FIELDS:
        return None
    value = part.get(IMAGE_FIELDS[part["type"]])
    url = value.get("url") if isinstance(value, dict) else value
    return url if isinstance(url, str) else "" if url is None else None


def _with_url(part: Message, url: str) -> Message:
    name = IMAGE_FIELDS[part["type"]]
    if isinstance(part.get(name), dict):
        kept = {key: value for key, value in part[name].items() if value not in ("", None)}
        return {**part, name: kept | {"url": url}}
    return {**part, name: url}


def _address(url: str, place: str, pictures: Pictures) -> str:
    if url.startswith(("http://", "https://", "data:", "gs://", "s3://")):
        return url
    if match := PICTURE.fullmatch(url):
        try:
            return pictures(match[1])
        except LookupError:
            raise PromptProblem(f"the picture sha256:{match[1][:12]}... is not kept here.", place) from None
    for beginning, media_type in BASE64.items():
        if url.startswith(beginning):
            return f"data:{media_type};base64,{url}"
    raise PromptProblem(
        f"{url[:60]!r} is not a picture. A variable for a picture takes an http or data URL, base64 of a PNG, JPEG, GIF, "
        "WebP or TIFF, or loupe:sha256:... of a picture that is kept here.",
        place,
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            if key != OWN:
                yield from _strings(one)


def _parts(messages: Any) -> Iterator[Message]:
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        yield from (part for part in (content if isinstance(content, list) else ()) if isinstance(part, dict))


def _conditions(messages: Any) -> Iterator[str]:
    for part in _parts(messages):
        if isinstance(part.get(OWN), dict) and part[OWN].get("when"):
            yield str(part[OWN]["when"]).lstrip("!^ ")

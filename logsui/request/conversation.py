"""A stored exchange as a person reads it: turns in order, each picture where it stood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.content.json_written import compact
from gateway.dialects.base import Part, Turn
from gateway.models import LogImage, Payload, RequestLog
from gateway.pictures.image_warnings import warnings_of
from gateway.recording.reading import answer_of, question_of
from logsui.request.eye import Eye, eye_of, upright_size
from logsui.request.marks import Marks, marks_on, said_shapes
from logsui.request.tools import TOOLS, Tool, read_tools
from logsui.words.markdown import rendered

SHOWN_TEXT = 200_000
FOLDED_TEXT = 1200


@dataclass(slots=True)
class Shown:
    """One part as it is drawn: text, or a picture of the log with what is odd about it. `html` is rendered Markdown."""

    kind: str
    text: str = ""
    image: LogImage | None = None
    html: str = ""
    warnings: Sequence[str] = ()
    eye: Eye | None = None
    marks: Marks | None = None
    call_id: str = ""
    model: str = ""

    @property
    def size(self) -> tuple[int, int] | None:
        """In pixels, of a picture that is shown; None where it is not known."""
        return upright_size(self.image.image) if self.image else None

    @property
    def would_see_more(self) -> int:
        """The tokens of the picture at detail `high`, where that is more than the model got of it; else 0."""
        if self.eye is None or self.image is None or self.image.detail in ("", "high"):
            return 0
        high = eye_of(self.image, self.model, "high")
        return high.seen.tokens if high and high.seen.tokens > self.eye.seen.tokens else 0

    @property
    def is_tool(self) -> bool:
        return self.kind == "tool"

    @property
    def tool(self) -> tuple[str, str]:
        """The name of what is called, and what it is given."""
        name, _, given = self.text.partition(" ")
        return name, given

    @property
    def is_text(self) -> bool:
        return self.kind == "text"

    @property
    def is_reasoning(self) -> bool:
        return self.kind == "reasoning"

    @property
    def start(self) -> str:
        """The beginning of a text that is too long to be shown at once."""
        return self.text[:FOLDED_TEXT] if self.is_text and len(self.text) > 2 * FOLDED_TEXT else ""


@dataclass(slots=True)
class ShownTurn:
    role: str
    parts: list[Shown]

    @property
    def pictures(self) -> list[Shown]:
        return [part for part in self.parts if part.image is not None]


@dataclass(slots=True)
class Conversation:
    """Input and output, the settings of the call, and the tools that the model may call."""

    input: list[ShownTurn] = field(default_factory=list)
    output: list[ShownTurn] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    error: str = ""


def read_conversation(log: RequestLog, payload: Payload | None, space: str = "") -> Conversation:
    """`space` names the one in which places on pictures are read; empty where it is to be guessed."""
    if payload is None:
        return Conversation()
    question, answer = question_of(log, payload), answer_of(log, payload)
    images = list(log.images.all())
    sent = [one for one in images if one.direction == LogImage.Direction.INPUT]
    received = [one for one in images if one.direction == LogImage.Direction.OUTPUT]
    asked = _shown(log, question.turns, sent, "user")
    answered = _shown(log, answer.turns, _final(received), "assistant")
    _mark([*asked, *answered], log.answer_model or log.model, space)
    return Conversation(
        input=asked,
        output=_rendered(answered),
        settings=[
            (name, value if isinstance(value, str) else compact(value))
            for name, value in question.settings.items()
            if not (name in TOOLS and isinstance(value, list) and read_tools(value))
        ],
        tools=[tool for name in TOOLS for tool in read_tools(question.settings.get(name))],
        error=answer.error,
    )


def _shown(log: RequestLog, turns: Iterable[Turn], images: list[LogImage], fallback_role: str) -> list[ShownTurn]:
    """Turns with their pictures: where a part is one, behind the text in which one stands, or at the end of its turn.

    Those of which not even the turn is known follow in a turn of their own.
    """
    turns = list(turns)
    by_position = {one.position: one for one in images}
    placed: set[int] = set()
    shown = [ShownTurn(turn.role, [_part(log, part, by_position, placed) for part in turn.parts]) for turn in turns]
    for part in (part for turn in shown if turn.role == "tool" for part in turn.parts if part.is_text):
        part.kind = "code"  # what a tool answers is data more often than words
    behind = _places(turns, [one for one in images if one.pk not in placed])
    for turn, (at, drawn) in zip(turns, enumerate(shown), strict=True):
        drawn.parts = [
            part
            for number, own in enumerate([*drawn.parts, None])
            for part in ([own] if own else []) + [_picture(log, one) for one in behind.pop((at, number), [])]
        ]
        drawn.parts.sort(key=lambda part: not part.is_reasoning or turn.role != "assistant")
    rest = [_picture(log, one) for ones in behind.values() for one in ones]
    if rest:
        shown.append(ShownTurn(fallback_role, rest))
    return [turn for turn in shown if turn.parts]


def _places(turns: list[Turn], images: list[LogImage]) -> dict[tuple[int, int], list[LogImage]]:
    """For each picture the number of its turn and of the part behind which it stands, by the longest beginning of its path;
    a number beyond the turn's parts is its end, turn -1 is unknown.
    """
    paths = [(turn.path, (at, len(turn.parts))) for at, turn in enumerate(turns)]
    paths += [(part.position, (at, number)) for at, turn in enumerate(turns) for number, part in enumerate(turn.parts)]
    found: dict[tuple[int, int], list[LogImage]] = {}
    for one in images:
        fitting = [(len(path), place) for path, place in paths if path and _is_within(one.position, path)]
        found.setdefault(max(fitting)[1] if fitting else (-1, 0), []).append(one)
    return found


def _is_within(position: str, path: str) -> bool:
    """A part's own path ends in the name of its string; beside it stand the part's other members."""
    return position == path or position.startswith((f"{path}.", f"{path}["))


def _part(log: RequestLog, part: Part, by_position: dict[str, LogImage], placed: set[int]) -> Shown:
    found = by_position.get(part.position) if part.kind in ("image", "file") else None
    if found is not None:
        placed.add(found.pk)
        return _picture(log, found)
    kind = part.kind if part.kind in ("text", "reasoning", "tool") else "code"
    return Shown(kind, part.text[:SHOWN_TEXT], call_id=part.detail if kind == "tool" else "")


def _picture(log: RequestLog, one: LogImage) -> Shown:
    model = log.answer_model or log.model
    return Shown("image", image=one, warnings=warnings_of(one, model), eye=eye_of(one, model), model=model)


def _mark(turns: list[ShownTurn], model: str, space: str) -> None:
    """What the model says of places is drawn on the last pictures before that, or on the one of them whose number it says."""
    pictures: list[Shown] = []
    for turn in turns:
        if turn.role == "assistant" and pictures:
            texts = [part.text for part in turn.parts if not part.is_reasoning]
            _mark_pictures(pictures, texts, model, space)
        pictures = [part for part in turn.pictures if part.size] or pictures


def _mark_pictures(pictures: list[Shown], texts: list[str], model: str, space: str) -> None:
    found, last = said_shapes(texts), len(pictures) - 1
    first = 0 if any(shape.picture == 0 for shape, _ in found) else 1
    of = [last if shape.picture is None else min(max(shape.picture - first, 0), last) for shape, _ in found]
    for at, part in enumerate(pictures):
        own = [pair for pair, picture in zip(found, of, strict=True) if picture == at]
        if own and part.size:
            seen = (part.eye.seen.width, part.eye.seen.height) if part.eye else part.size
            part.marks = marks_on(own, model, part.size, seen, space)


def _rendered(turns: list[ShownTurn]) -> list[ShownTurn]:
    for part in (part for turn in turns for part in turn.parts if part.kind == "text"):
        part.html = rendered(part.text)
    return turns


def _final(images: list[LogImage]) -> list[LogImage]:
    """A streamed picture comes several times: in parts, when done, and in the last event. One of each hash is shown."""
    kept: dict[str, LogImage] = {}
    for one in images:
        if "partial_image" not in one.position:
            kept.setdefault(one.image_id or one.url or one.position, one)
    return list(kept.values())

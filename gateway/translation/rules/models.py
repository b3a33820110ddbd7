"""What each family of models takes: levels of effort, thinking, sampling, forced tools, structured output.

Data, as of 2026-11-28. Sources: platform.claude.com, build-with-claude/effort, extended-thinking, thinking-troubleshooting,
structured-outputs and the models' migration guides; ai.google.dev, gemini-api/docs/thinking and openai, and the quoted answers
of the vendors in BerriAI/litellm#37314, #37868, #27074 and agentjido/req_llm#971. A model newer than the table has the
newest rule of its family, and its caller is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
UP_TO_HIGH = ("low", "medium", "high")
ALL = (*UP_TO_HIGH, "xhigh", "max")
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Claude:
    """`efforts` of `output_config`; `thinking` is how it is asked for, `off` the type that switches it off.

    `off` is empty where a model does not think unless asked to, and "never" where it cannot be kept from it. `sampling` is
    how many of temperature and top_p are taken at once.
    """

    efforts: tuple[str, ...] = ()
    thinking: Literal["adaptive", "budget", ""] = ""
    off: Literal["", "disabled", "between_tools", "never"] = ""
    sampling: Literal[0, 1, 2] = 0
    forces_tools: bool = True
    structured: bool = True
    thinks_unasked: bool = False
    is_newer: bool = False


CLAUDES: dict[str, tuple[tuple[Version, Claude], ...]] = {
    "opus": (
        ((5, 5), Claude(ALL, "adaptive", "never", forces_tools=False, thinks_unasked=True)),
        ((5, 0), Claude(ALL, "adaptive", "disabled", thinks_unasked=True)),
        ((4, 7), Claude(ALL, "adaptive")),
        ((4, 6), Claude((*UP_TO_HIGH, "max"), "adaptive", sampling=1)),
        ((4, 5), Claude(UP_TO_HIGH, "budget", sampling=1)),
        ((4, 0), Claude((), "budget", sampling=1, structured=False)),
        ((3, 0), Claude(sampling=2, structured=False)),
    ),
    "sonnet": (
        ((5, 5), Claude(ALL, "adaptive", "between_tools", forces_tools=False, thinks_unasked=True)),
        ((5, 0), Claude(ALL, "adaptive", "disabled", thinks_unasked=True)),
        ((4, 6), Claude((*UP_TO_HIGH, "max"), "adaptive", sampling=1)),
        ((4, 5), Claude((), "budget", sampling=1)),
        ((4, 0), Claude((), "budget", sampling=1, structured=False)),
        ((3, 7), Claude((), "budget", sampling=2, structured=False)),
        ((3, 0), Claude(sampling=2, structured=False)),
    ),
    "haiku": (
        ((5, 5), Claude(ALL, "adaptive", "disabled", thinks_unasked=True)),
        ((4, 5), Claude((), "budget", sampling=1)),
        ((3, 0), Claude(sampling=2, structured=False)),
    ),
    "fable": (
        ((5, 1), Claude(ALL, "adaptive", "never", forces_tools=False, thinks_unasked=True)),
        ((5, 0), Claude(ALL, "adaptive", "never", thinks_unasked=True)),
    ),
    "mythos": (
        ((5, 1), Claude(ALL, "adaptive", "never", forces_tools=False, thinks_unasked=True)),
        ((5, 0), Claude(ALL, "adaptive", "never", thinks_unasked=True)),
        ((0, 0), Claude((*UP_TO_HIGH, "max"), "adaptive", "never", forces_tools=False, thinks_unasked=True)),
    ),
}  # fmt: skip
NEWEST_CLAUDE: Version = (5, 5)
CLAUDE_NAME = re.compile(
    r"claude-(?:(opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)"
    r"|(\d{1,2})(?:-(\d{1,2}))?-(opus|sonnet|haiku)|(mythos)-preview)"
)
# Tokens for an effort, where thinking has a budget (the vendor: "there is no fixed mapping"; these are what clients use).
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
LEAST_BUDGET = 1024


def claude(model: str) -> Claude | None:
    """The rules of a Claude, by any vendor's name for it; None when the name does not tell which one it is."""
    match = CLAUDE_NAME.search(model.lower().replace(".", "-"))
    if match is None:
        return None
    family = match[1] or match[6] or match[7]
    version = (int(match[2] or match[4] or 0), int(match[3] or match[5] or 0))
    rows = CLAUDES[family]
    found = next((rules for since, rules in rows if version >= since), rows[-1][1])
    return _newer(found) if version > max(NEWEST_CLAUDE, rows[0][0]) else found


def _newer(rules: Claude) -> Claude:
    return Claude(
        rules.efforts, rules.thinking, rules.off, rules.sampling, rules.forces_tools, rules.structured,
        rules.thinks_unasked, is_newer=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gemini:
    """Levels, or a budget between `least` and `most` tokens; `off` is the budget that switches thinking off, if any does."""

    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    can_be_off: bool = False
    candidates: bool = True
    is_newer: bool = False


# By the beginning of the name: the first that fits.
GEMINIS: tuple[tuple[str, Gemini], ...] = (
    (r"gemini-3(\.1)?-pro-image", Gemini(("low", "high"), candidates=False)),
    (r"gemini-3\.\d-flash(-lite)?-image", Gemini(("minimal", "high"), candidates=False)),
    (r"gemini-3-pro", Gemini(("low", "high"))),
    (r"gemini-3\.\d-pro", Gemini(UP_TO_HIGH)),
    (r"gemini-3(\.[1-6])?-flash", Gemini(("minimal", *UP_TO_HIGH))),
    (r"gemini-3\.[78]-flash", Gemini(UP_TO_HIGH, candidates=False)),
    (r"gemini-4-argon", Gemini(UP_TO_HIGH)),
    (r"gemini-2\.5-flash-image", Gemini(candidates=False)),
    (r"gemini-2\.5-pro", Gemini(budget=(128, 32768))),
    (r"gemini-2\.5-flash-lite", Gemini(budget=(512, 24576), can_be_off=True)),
    (r"gemini-2\.5-flash", Gemini(budget=(0, 24576), can_be_off=True)),
    (r"gemini-[12](\.|-|$)", Gemini()),
)
GEMINI_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
NEWER_GEMINI = Gemini(UP_TO_HIGH, is_newer=True)
NO_GEMINI = Gemini()


def gemini(model: str) -> Gemini:
    bare = model.lower().rpartition("/")[2]
    found = next((rules for pattern, rules in GEMINIS if re.match(pattern, bare)), None)
    return found or (NEWER_GEMINI if re.match(r"gemini-\d", bare) else NO_GEMINI)


def nearest(level: str, known: tuple[str, ...]) -> str:
    """The level that comes nearest among those that exist; of two as near, the lower one."""
    wanted = LEVELS.index(level) if level in LEVELS else LEVELS.index("medium")
    return min(known, key=lambda one: (abs(LEVELS.index(one) - wanted), LEVELS.index(one)))

"""Effort, thinking, sampling and forced tools of a request, as the Claude that it goes to takes them. Shared by all its vendors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gateway.content.json_text import number, obj
from gateway.translation.neutral import Request
from gateway.translation.rules.models import ALL, BUDGETS, LEAST_BUDGET, UP_TO_HIGH, Claude, claude, nearest

UNKNOWN = Claude(UP_TO_HIGH, sampling=2)
SAMPLING = ("temperature", "top_p", "top_k")
ROOM_FOR_WORDS = 4096
LEAST_TOP_P = 0.95


@dataclass(slots=True)
class ClaudeSettings:
    """`request` without what is settled here; `thinking` and `effort` to be sent, empty for none; `warnings` for the caller."""

    request: Request
    thinking: dict[str, Any] = field(default_factory=dict)
    effort: str = ""
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, request: Request) -> ClaudeSettings:
        settled = cls(request)
        settled._settle(claude(request.model))
        return settled

    @property
    def budget(self) -> int:
        return number(self.thinking.get("budget_tokens")) or 0

    def _settle(self, found: Claude | None) -> None:
        rules, settings = found or UNKNOWN, dict(self.request.settings)
        if rules.is_newer:
            self._tell(
                f"model: {self.request.model} is newer than what Loupe knows of its family; its newest rules were used"
            )
        thinking = settings.pop("thinking", None)
        self.thinking = dict(thinking) if isinstance(thinking, dict) else {}
        self._take_effort(rules, settings.pop("reasoning_effort", None), settings)
        if found:
            self._take_thinking(rules)
        self._fit_budget(number(settings.get("max_tokens")))
        self._take_sampling(rules, settings)
        self.request = replace(self.request, settings=settings)
        self._take_tool_choice(rules)

    def _tell(self, line: str) -> None:
        self.warnings.append(line)

    def _take_effort(self, rules: Claude, effort: Any, settings: dict[str, Any]) -> None:
        if not isinstance(effort, str) or obj(settings.get("output_config")).get("effort"):
            return
        if effort == "none":
            self._switch_off(rules)
        elif rules.efforts:
            self.effort = nearest(effort, rules.efforts)
            if effort not in rules.efforts and effort in ALL:
                self._tell(f"reasoning_effort: this model knows {', '.join(rules.efforts)}; {self.effort} was sent")
            if rules.thinking == "adaptive" and not rules.thinks_unasked and not self.thinking:
                self.thinking = {"type": "adaptive"}
        elif rules.thinking == "budget":
            self.thinking = self.thinking or {
                "type": "enabled",
                "budget_tokens": BUDGETS.get(effort, BUDGETS["medium"]),
            }
        else:
            self._tell("reasoning_effort: this model does not think; it was not sent")

    def _switch_off(self, rules: Claude) -> None:
        if rules.off == "never":
            self.effort = rules.efforts[0]
            self._tell(f"reasoning_effort: this model cannot be kept from thinking; effort {self.effort} was sent")
        elif rules.off:
            self.thinking = {"type": rules.off}

    def _take_thinking(self, rules: Claude) -> None:
        """The caller's own `thinking`, where this model knows it under another name."""
        kind = self.thinking.get("type")
        if kind == "enabled" and rules.thinking == "adaptive":
            self.thinking = {"type": "adaptive"}
            self._tell("thinking: this model chooses its budget itself; adaptive was sent")
        elif kind == "adaptive" and rules.thinking == "budget":
            self.thinking = {"type": "enabled", "budget_tokens": BUDGETS["medium"]}
            self._tell(f"thinking: this model is told a budget; {BUDGETS['medium']} tokens were sent")
        elif kind == "disabled" and rules.off in ("never", "between_tools"):
            self.thinking = {"type": rules.off} if rules.off != "never" else {}
            self._tell(
                f"thinking: this model cannot be told disabled; {rules.off if self.thinking else 'nothing'} was sent"
            )
        elif kind and not rules.thinking:
            self.thinking = {}
            self._tell("thinking: this model does not think; it was not sent")

    def _fit_budget(self, limit: int | None) -> None:
        """A budget must be smaller than `max_tokens`, and leave words for the answer."""
        if not self.budget or limit is None or self.budget < limit:
            return
        most = min(limit - 1, max(LEAST_BUDGET, limit * 3 // 4))
        if most < LEAST_BUDGET:
            self.thinking = {}
            self._tell(f"thinking: max_tokens {limit} leaves no room for {LEAST_BUDGET} tokens of it; it was not sent")
            return
        self._tell(f"thinking: its budget must be below max_tokens, {limit}; {most} tokens were sent")
        self.thinking = {**self.thinking, "budget_tokens": most}

    def _take_sampling(self, rules: Claude, settings: dict[str, Any]) -> None:
        given = [name for name in SAMPLING if settings.get(name) is not None]
        gone = given if rules.sampling == 0 else []
        if rules.sampling == 1 and "temperature" in given and "top_p" in given:
            gone = ["top_p"]
        if self.budget:
            gone = [name for name in given if name == "top_k" or not _fits_thinking(name, settings[name])]
        for name in dict.fromkeys(gone):
            del settings[name]
            self._tell(
                f"{name}: this model does not take it{' while it thinks' if self.budget else ''}; it was not sent"
            )
        heat = settings.get("temperature")
        if isinstance(heat, int | float) and heat > 1:
            settings["temperature"] = 1
            self._tell(f"temperature: Claude's ends at 1; 1 was sent instead of {heat:g}")

    def _take_tool_choice(self, rules: Claude) -> None:
        forced = self.request.tool_choice == "required" or self.request.tool_choice.startswith("=")
        if forced and not rules.forces_tools:
            self.request = replace(self.request, tool_choice="auto")
            self._tell("tool_choice: this model cannot be made to call a tool; auto was sent")
        elif forced and self.budget:
            self.thinking = {}
            self._tell("thinking: no tool can be forced while this model thinks; it was not sent")


def _fits_thinking(name: str, value: Any) -> bool:
    return value == 1 if name == "temperature" else isinstance(value, int | float) and value >= LEAST_TOP_P

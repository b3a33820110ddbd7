"""How much one rendering may do: a template of a line can ask for more than any machine has."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 250_000  # about a second
CHARACTERS = 64 * 1024 * 1024
# What a server may do between two other calls: a few milliseconds
QUICK_STEPS, QUICK_CHARACTERS = 2_000, 256 * 1024


class TooMuch(Exception):
    """A rendering that is not worth going on with; `str` says what made it so."""


@dataclass(slots=True)
class Budget:
    """What is left. A step is a tag that is looked up, or one more round of a section."""

    steps: int = STEPS
    characters: int = CHARACTERS
    section: str = ""

    @classmethod
    def quick(cls) -> Budget:
        return cls(QUICK_STEPS, QUICK_CHARACTERS)

    def step(self, count: int = 1) -> None:
        """Raises TooMuch."""
        self.steps -= count
        if self.steps < 0:
            raise TooMuch(f"{self._where()} more than {STEPS:,} tags and rounds are rendered")

    def write(self, characters: int) -> None:
        """Raises TooMuch."""
        self.characters -= characters
        if self.characters < 0:
            raise TooMuch(f"{self._where()} more than {CHARACTERS >> 20} MiB come out")

    def _where(self) -> str:
        return f"in the section {{{{#{self.section[:100]}}}}}" if self.section else "altogether"

"""The tables, by family, each with its queryset in the same file. Read from outside: every table, from here.

Imports the language of templates only.
"""

from __future__ import annotations

from prompts.models.prompts import Folder, LabelName, Prompt, PromptLabel, PromptPicture, PromptRevision, PromptVersion
from prompts.models.sets import Case, Cell, PictureSet, SetRun

__all__ = [
    "Case",
    "Cell",
    "Folder",
    "LabelName",
    "PictureSet",
    "Prompt",
    "PromptLabel",
    "PromptPicture",
    "PromptRevision",
    "PromptVersion",
    "SetRun",
]

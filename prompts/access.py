"""Who may see and change prompts. Settings name the decorators, for this app knows no workspace's members.

A view gets the workspace of its address as the second argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

View = Callable[..., HttpResponseBase]

reader = cast("Callable[[View], View]", import_string(settings.PROMPT_READER))
editor = cast("Callable[[View], View]", import_string(settings.PROMPT_EDITOR))
Workspace = Any

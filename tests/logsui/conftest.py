"""Somebody who is logged in, once for each Loupe."""

from __future__ import annotations

import pytest

from tests.logsui.browser import Browser
from tests.loupe import Loupe


@pytest.fixture(scope="session")
def browsers() -> dict[Loupe, Browser]:
    """Those that are logged in."""
    return {}


@pytest.fixture(scope="session")
def browser(loupe: Loupe, browsers: dict[Loupe, Browser]) -> Browser:
    if loupe not in browsers:
        browsers[loupe] = Browser(loupe)
    return browsers[loupe]

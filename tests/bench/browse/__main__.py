"""`python -m tests.bench.browse`, see `pages`."""

from __future__ import annotations

from tests.bench.browse.pages import main

main()

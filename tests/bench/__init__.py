"""Loupe and its peers, measured in one run on the same fake upstream: `python -m tests.bench --help`."""

from __future__ import annotations

"""The front door: a proxy that records what passes, and what keeps, finds and serves the record.

From outside: the rooms below, each through what its own `__init__` names. Rooms may import only rooms below them; the order
is in pyproject.toml (import-linter) and in docs/architecture.md.
"""

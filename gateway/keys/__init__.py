"""Gateway keys, virtual keys and people: in memory for the fast path, sealed at rest, and the writes to them.

From outside: `in_memory` and `target`, by proxy and upstream; the writes, by pages and commands.
May import models, network (which addresses may be named) and providers.
"""

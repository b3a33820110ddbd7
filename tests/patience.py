"""What ends is told from what does not, on a machine of any speed and with anything running beside it.

How fast something is, `tests/bench` measures. A test here only fails on what grows without measure: work that takes a
moment when it is right and minutes when it is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SOON_SECONDS = 10.0


@contextmanager
def soon() -> Iterator[None]:
    """Fails when what is inside took more of a processor than ten seconds of this thread."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < SOON_SECONDS

"""Where the time of a page goes."""

from __future__ import annotations

from gateway.timings import Timings


def test_what_is_inside_of_its_own_kind_counts_once() -> None:
    timings = Timings()
    with timings.spending("outer"):
        for _ in range(2):
            with timings.spending("inner"), timings.spending("inner"):
                pass
    assert timings.seconds["outer"] >= timings.seconds["inner"] > 0

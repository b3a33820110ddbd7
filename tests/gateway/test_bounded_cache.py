"""What is kept fits the bound, and what is in use stays."""

from __future__ import annotations

from gateway.bounded_cache import BoundedCache


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = BoundedCache[str, int](10)
    for name in "abc":
        cache.put(name, ord(name), 3)
    assert cache.get("a") == ord("a")
    cache.put("d", 4, 3)
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]
    assert cache.used == 9


def test_what_is_there_stays_and_what_is_too_large_is_not_kept() -> None:
    cache = BoundedCache[str, int](10)
    cache.put("a", 1, 3)
    cache.put("a", 2, 3)
    assert cache.get("a") == 1
    cache.put("b", 3, 11)
    assert (cache.get("b"), cache.used) == (None, 0)

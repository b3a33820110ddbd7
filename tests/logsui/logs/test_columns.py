"""Columns shown, hidden and moved."""

from __future__ import annotations

from logsui.logs import columns


def test_columns_are_shown_hidden_and_moved_and_the_last_one_stays() -> None:
    two = columns.shown({columns.COOKIE: "time.model.nonsense.time"})
    assert [one.name for one in two] == ["time", "model"]
    assert [one.name for one in columns.arranged(two, "up", "model")] == ["model", "time"]
    assert [one.name for one in columns.arranged(two, "show", "key")] == ["time", "model", "key"]
    assert [one.name for one in columns.arranged(two[:1], "hide", "time")] == ["time"]
    assert columns.arranged(two, "up", "nonsense") == two

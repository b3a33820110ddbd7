"""Log lines show nothing that is shaped like a key."""

from __future__ import annotations

import logging

from gateway.content.redaction import MaskingFormatter


def test_a_log_line_and_its_traceback_show_no_key() -> None:
    try:
        raise ValueError("sk-proj-abcdefgh12345678")
    except ValueError as error:
        record = logging.LogRecord(
            "a", logging.ERROR, "", 1, "lp_%s", ("abcdefgh12345678",), (ValueError, error, error.__traceback__)
        )
    line = MaskingFormatter("%(message)s").format(record)
    assert "abcdefgh" not in line
    assert line.startswith("***")

"""Full text over prompts and answers: FTS5 on SQLite, tsvector on PostgreSQL. Both get words that we have cut ourselves, so
that a search finds the same on either.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from gateway.index.cut_words import IS_UNSPACED, indexed, words_of
from gateway.index.search_language import Words
from gateway.models import Workspace
from gateway.models.index import LOG_TEXTS, LogText

WRITTEN_OVER_AT_ONCE = 200  # pages of 4 KB
MOST_ALIKE = 64  # logs of the same number that stand next to each other
SHORTEST_BEGINNING = 4  # what begins with less is most of the index
COLUMNS = {"prompt": "A", "answer": "B"}


@dataclass(frozen=True, slots=True)
class Texts:
    """What is to be found of one log."""

    log_id: uuid.UUID
    workspace_id: int
    prompt: str
    answer: str


def number_of(log_id: uuid.UUID) -> int:
    """63 bits in the order of the ids: the milliseconds and the first 15 random bits. Nearly unique."""
    value = log_id.int
    return (value >> 80) << 15 | (value >> 64 & 0xFFF) << 3 | value >> 59 & 0x7


def write(texts: Iterable[Texts]) -> None:
    """Add the words of logs that are not in yet; inside the transaction that writes their rows."""
    new: dict[int, Texts] = {}
    for one in (one for one in texts if one.prompt or one.answer):
        number = number_of(one.log_id)
        while number in new:
            number += 1
        new[number] = one
    if not new:
        return
    for number, taken in LogText.objects.filter(number__in=new).values_list("number", "log_id"):
        one = new.pop(number)
        if taken != one.log_id:
            new[_free_number(number, new)] = one
    words = {number: _words_of(one) for number, one in new.items()}
    LOG_TEXTS.insert(
        LOG_TEXTS.blank(
            number=number, log_id=one.log_id, workspace_id=one.workspace_id, words=_kept_for_removal(words[number])
        )
        for number, one in new.items()
    )
    _write_words(words)


def empty() -> None:
    """Forget all words, to be cut anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        LogText.objects.all().delete()
        if connection.vendor != "postgresql":
            cursor.execute("INSERT INTO gateway_logwords (gateway_logwords) VALUES ('delete-all')")


def remove(log_ids: Sequence[uuid.UUID]) -> None:
    """Forget the words of logs."""
    rows = _rows_of(log_ids)
    if connection.vendor != "postgresql":
        known = [(row.words, row.number) for row in rows if row.words is not None]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO gateway_logwords (gateway_logwords, prompt, answer, rowid) VALUES ('delete', %s, %s, %s)",
                [(*_unpacked(words), number) for words, number in known],
            )
    LogText.objects.filter(pk__in=[row.pk for row in rows]).delete()


def write_over(pages: int = WRITTEN_OVER_AT_ONCE) -> bool:
    """Have FTS5 write some of its words anew, without those that were removed; whether there is more (fts5.html, 6.8)."""
    if connection.vendor == "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT total_changes()")
        before = cursor.fetchone()[0]
        cursor.execute("INSERT INTO gateway_logwords (gateway_logwords, rank) VALUES ('merge', %s)", [-pages])
        cursor.execute("SELECT total_changes()")
        changed: int = cursor.fetchone()[0] - before
    return changed >= 2  # so says their page: less, and nothing was left to do


def _rows_of(log_ids: Sequence[uuid.UUID]) -> list[LogText]:
    wanted = {number_of(id): id for id in log_ids}
    rows = {row.log_id: row for row in LogText.objects.filter(number__in=wanted)}
    for id in set(log_ids) - rows.keys():
        near = LogText.objects.filter(number__gt=number_of(id), number__lte=number_of(id) + MOST_ALIKE, log_id=id)
        rows.update((id, row) for row in near)
    return [rows[id] for id in set(log_ids) & rows.keys()]


def _words_of(one: Texts) -> tuple[str, str]:
    return " ".join(indexed(one.prompt)[0]), " ".join(indexed(one.answer)[0])


def _kept_for_removal(words: tuple[str, str]) -> bytes | None:
    """FTS5 must be told to the letter what it is to forget, or its index breaks (fts5.html, 6.3)."""
    return None if connection.vendor == "postgresql" else zlib.compress("\0".join(words).encode(), 1)


def _unpacked(words: bytes | memoryview) -> tuple[str, str]:
    prompt, _, answer = zlib.decompress(words).decode().partition("\0")
    return prompt, answer


def _free_number(number: int, new: dict[int, Texts]) -> int:
    while number in new or LogText.objects.filter(number=number).exists():
        number += 1
    return number


def _write_words(words: Mapping[int, tuple[str, str]]) -> None:
    rows = [(prompt, answer, number) for number, (prompt, answer) in words.items()]
    if connection.vendor == "postgresql":
        search = "setweight(to_tsvector('simple', %s), 'A') || setweight(to_tsvector('simple', %s), 'B')"
        statement = f"UPDATE gateway_logtext SET search = {search} WHERE number = %s"  # noqa: S608 - no input in it
    else:
        statement = "INSERT INTO gateway_logwords (prompt, answer, rowid) VALUES (%s, %s, %s)"
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def matches(workspace: Workspace, words: Sequence[Words], *, low: int, high: int, limit: int) -> list[bytes]:
    """The ids of the newest logs with these words whose number is from `low` to below `high`; one word is not negated."""
    if connection.vendor == "postgresql":
        source, asked = "gateway_logtext t", "t.search @@ to_tsquery('simple', %s)"
        question, number = _for_postgres(words), "t.number"
    else:
        source = "gateway_logwords w CROSS JOIN gateway_logtext t ON t.number = w.rowid"
        asked, number = "w.gateway_logwords MATCH %s", "w.rowid"
        question = _for_sqlite(words)
    if not question:
        return []
    statement = (
        f"SELECT t.log_id FROM {source} WHERE {asked} AND {number} >= %s AND {number} < %s "  # noqa: S608
        f"AND t.workspace_id = %s ORDER BY {number} DESC LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [question, low, high, workspace.pk, limit])
        return [id.bytes if isinstance(id, uuid.UUID) else bytes.fromhex(id) for (id,) in cursor.fetchall()]


def _for_sqlite(words: Sequence[Words]) -> str:
    """https://www.sqlite.org/fts5.html, 3: a phrase in quotes, a star for a beginning, `{column} :` before it."""

    def one(word: Words) -> str:
        star = " *" if _is_beginning(word) else ""
        ways = [" AND ".join(f'"{" ".join(run)}"{star}' for run in runs) for runs in _ways(word)]
        found = " OR ".join(f"({way})" for way in ways if way)
        return f"{word.where} : ({found})" if word.where and found else found

    wanted = [text for word in words if not word.negated and (text := one(word))]
    refused = [text for word in words if word.negated and (text := one(word))]
    if not wanted:
        return ""
    found = " AND ".join(f"({text})" for text in wanted)
    return f"({found}) NOT ({' OR '.join(refused)})" if refused else found


def _ways(word: Words) -> list[list[list[str]]]:
    """The runs of words that must stand in a row: all of them, or, in scripts without blanks, every three (`cut_words`)."""
    parts = words_of(word.text)
    if len(parts) > 3 and all(IS_UNSPACED.match(part) or part.startswith("u0") for part in parts):
        return [[parts], [parts[at : at + 3] for at in range(len(parts) - 2)]]
    return [[parts]] if parts else []


def _is_beginning(word: Words) -> bool:
    """Whether longer words that begin with this one are meant too."""
    parts = words_of(word.text)
    return bool(parts) and not word.is_phrase and len(parts[-1]) >= SHORTEST_BEGINNING


def _for_postgres(words: Sequence[Words]) -> str:
    """PostgreSQL's tsquery: `<->` between the words of a phrase, `:*` for a beginning, `:A` for the prompt's words."""

    def one(word: Words) -> str:
        where, is_beginning = COLUMNS.get(word.where, ""), _is_beginning(word)

        def row(run: list[str]) -> str:
            marks = [where] * (len(run) - 1) + [f"*{where}" if is_beginning else where]
            return " <-> ".join(
                f"'{part}'" + (f":{mark}" if mark else "") for part, mark in zip(run, marks, strict=True)
            )

        ways = [" & ".join(f"({row(run)})" for run in runs) for runs in _ways(word)]
        return " | ".join(f"({way})" for way in ways)

    wanted = [text for word in words if not word.negated and (text := one(word))]
    refused = [text for word in words if word.negated and (text := one(word))]
    if not wanted:
        return ""
    return " & ".join([*(f"({text})" for text in wanted), *(f"!({text})" for text in refused)])

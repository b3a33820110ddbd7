"""How texts are cut into the words that the index keeps and a search looks for: the same for both, on every database.

Letters fold by their script. Latin, Greek, Cyrillic, Hebrew and Arabic lose their marks, and Latin its strokes; in other
scripts a mark makes another letter (ハ and バ, Hindi's vowels) and stays. Signs and emoji are words. Of scripts without blanks
each character is a word, and a search for several looks for them in a row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

READ = 4_000_000
RUNNING, UNIQUE = 5000, 50_000
MOST_CHARACTERS = 200_000  # of each part: PostgreSQL holds a megabyte of one log's words
LONGEST_WORD = 64
# Scripts without blanks between words: kana, Han, Thai, Lao, Myanmar, Khmer.
UNSPACED = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
FOLDED = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC")
STROKES = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "ŋ": "n",
        "ĸ": "k", "ƒ": "f", "ɨ": "i", "ⱥ": "a", "ƶ": "z", "ɓ": "b", "ɗ": "d", "ɠ": "g",
    }
)  # fmt: skip
# Soft hyphens, joiners, marks of direction, and the choice between a sign and its picture: none is seen.
UNSEEN = dict.fromkeys(
    [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFE0E, 0xFE0F, 0xFEFF]
)
LAST_SCRIPT = 0x20000  # behind it there are only Han characters, and nothing
GAP = "gap0gap"  # between words that did not stand side by side


def _ranges(categories: tuple[str, ...]) -> str:
    """A class of a pattern: every character of these categories."""
    codes = [code for code in range(0x80, LAST_SCRIPT) if unicodedata.category(chr(code)) in categories]
    found, start = [], codes[0]
    for code, following in zip(codes, [*codes[1:], -1], strict=True):
        if following != code + 1:
            found.append(f"{re.escape(chr(start))}-{re.escape(chr(code))}")
            start = following
    return "".join(found)


MARKS = _ranges(("Mn", "Mc"))
SIGNS = _ranges(("So", "Sc", "Sm"))
WORD = re.compile(
    f"[{UNSPACED}]|(?![{UNSPACED}])[^\\W_](?:(?![{UNSPACED}])[^\\W_]|(?![{UNSPACED}])[{MARKS}])*|(?![\\x00-\\x7f])[{SIGNS}]"
)
PLAIN_WORD = re.compile(r"[a-z0-9]+")
ODD = re.compile(f"[{MARKS}{SIGNS}]")
IS_UNSPACED = re.compile(f"[{UNSPACED}]")


def words_of(text: str) -> list[str]:
    """All of a text's words, in order."""
    return _plain_words(text) if text.isascii() else list(_cut(text))


def _plain_words(text: str) -> list[str]:
    found = PLAIN_WORD.findall(folded(text))
    if max(map(len, found), default=0) <= LONGEST_WORD:
        return found
    return [word for word in found if len(word) <= LONGEST_WORD]


def indexed(text: str) -> tuple[list[str], bool]:
    """The words of a text that are kept, and whether those are all.

    The first thousands stand in their order, so that phrases are found; of the rest each word once, and of scripts without
    blanks every three characters in a row. What is longer than any word, as base64 is, is left out.
    """
    if len(text) < RUNNING:  # each word has a character at least
        return words_of(text), True
    words = _cut(text[:READ])
    running = _taken(words, RUNNING)
    rest = _unique(words, set(running))
    unique = _taken(rest, UNIQUE)
    return running + unique, len(text) <= READ and next(rest, None) is None


def _taken(words: Iterator[str], most: int) -> list[str]:
    found, size = [], 0
    for word in islice(words, most):
        found.append(word)
        size += len(word)
        if size > MOST_CHARACTERS:
            break
    return found


def _unique(words: Iterator[str], seen: set[str]) -> Iterator[str]:
    window: list[str] = []
    for word in words:
        if not IS_UNSPACED.match(word):
            window = []
            if word not in seen:
                seen.add(word)
                yield from (GAP, word)
            continue
        window = [*window[-2:], word]
        if len(window) == 3 and (key := "".join(window)) not in seen:
            seen.add(key)
            yield from (GAP, *window)


def _cut(text: str) -> Iterator[str]:
    if text.isascii():
        yield from _plain_words(text)
        return
    for match in WORD.finditer(folded(text)):
        if len(match[0]) <= LONGEST_WORD:
            yield _plain(match[0])


def _plain(word: str) -> str:
    """A word that no database cuts again: those with marks, and signs, by the codes of their characters."""
    if word.isascii() or not ODD.search(word):
        return word
    return "".join(f"u{ord(char):05x}" for char in word)


def folded(text: str) -> str:
    """Lower case, without what is not seen and without the marks that only change how a letter sounds."""
    if text.isascii():
        return text.replace("\0", " ").lower()
    plain = unicodedata.normalize("NFKD", text.translate(UNSEEN).replace("\0", " ").casefold())
    kept, drops = [], False
    for char in plain:
        if unicodedata.combining(char):
            if drops:
                continue
        elif char.isalpha():
            drops = unicodedata.name(char, "").startswith(FOLDED)
        else:
            drops = False
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept).translate(STROKES))

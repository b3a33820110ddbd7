"""Base64 as it stands in a body: in either alphabet, padded or not, over several lines, in any spelling that JSON and URLs allow.

A picture is what the string says, not what the JSON spells: .NET writes `+` as `\\u002B`, PHP `/` as `\\/`, JSON within JSON
doubles the backslashes, a data URL may be percent-encoded. `decode` reads them all, and says how to write the same run again.
"""

from __future__ import annotations

import binascii
import contextlib
import re
from collections.abc import Iterable
from itertools import chain

import pybase64

# A backslash as JSON within JSON spells it: doubled, or as a code of its own.
BACKSLASH = rb"\\+(?:u005[cC]\\*)*"
# The codes of the letters, the digits, of + - / = _ and of white space.
CODE = rb"u00(?:0[9aAdD]|2[0bBdDfF]|3[0-9dD]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])"
PERCENT = rb"%(?:0[9aAdD]|2[0bBdDfF]|3[0-9dD]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])"
SPELLED = re.compile(rb"%b(?:%b|[/nrt])|%b" % (BACKSLASH, CODE, PERCENT))
RUN = re.compile(
    rb"(?:[A-Za-z0-9+/_-]++|%b(?:(?!u003[dD])%b|[/nrt])|(?!%%3[dD])%b|[ \t\r\n]++)*+(?:=|%bu003[dD]|%%3[dD]){0,2}"
    % (BACKSLASH, CODE, PERCENT, BACKSLASH)
)
PLAIN_RUN = re.compile(rb"[A-Za-z0-9+/_-]*+={0,2}")
BREAK = re.compile(rb"(?:%b(?:[nrt]|u00(?:0[9aAdD]|20))|%%(?:0[9aAdD]|20)|[ \t\r\n])+" % BACKSLASH)
QUOTE = re.compile(rb"\\*[\"']|\Z")
LINE_ENDS = (b"n", b"r", b"\n", b"\r", b"0a", b"0A", b"0d", b"0D")
LONGEST_LINE = 1024
NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"/": b"/"}
WHITE = bytes(range(33))
FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
ODD = (b"\\", b"%", b" ", b"\n", b"\r", b"\t")
PLAIN = "base64:padded:0"
HEAD_BYTES, SPELLED_HEAD_BYTES = 4 * 1024, 64 * 1024


def end_of_run(body: bytes, start: int, end: int) -> int:
    """Where the base64 that starts here ends. Words behind it are no lines of it: those are all of one length but the last."""
    match = PLAIN_RUN.match(body, start, end)
    stop = match.end() if match else start
    if stop >= end or body[stop : stop + 1] not in ODD:
        return stop
    match = RUN.match(body, start, end)
    stop = match.end() if match else stop
    return start + _end_of_lines(body[start:stop], is_whole=QUOTE.match(body, stop) is not None)


def _end_of_lines(run: bytes, *, is_whole: bool) -> int:
    """`is_whole` says that nothing else stands in the string."""
    width = count = at = last = 0
    by_line = False
    for found in chain(BREAK.finditer(run), (None,)):
        stop = found.start() if found else len(run)
        length = len(plain(run[at:stop]))
        short = count > 0 and length < width
        if (length > width and count) or (
            short and not (_is_last(run, stop, width) and (by_line or (is_whole and count > 1)))
        ):
            return last
        if length:
            width, count, last = max(width, length), count + 1, stop
        if found:
            at, by_line = found.end(), any(mark in found[0] for mark in LINE_ENDS)
    return last


def _is_last(run: bytes, stop: int, width: int) -> bool:
    return width <= LONGEST_LINE and not plain(run[stop:])


def plain(run: bytes) -> bytes:
    """The base64 itself, without spellings and line breaks."""
    if b"\\" in run or b"%" in run:
        run = SPELLED.sub(lambda found: _said(found[0]), run)
    return run.translate(None, WHITE)


def _said(spelled: bytes) -> bytes:
    """The character that is spelled so."""
    return NAMED.get(spelled[-1:]) or bytes([int(spelled[-2:], 16)])


def beginning(body: bytes, start: int, end: int) -> bytes | None:
    """The first part of a run that is spelled in an odd way, in plain letters; None where it stands plain already."""
    head = body[start : min(end, start + HEAD_BYTES)]
    if not any(mark in head for mark in ODD):
        return None
    return plain(body[start : min(end, start + SPELLED_HEAD_BYTES)])


def decode(run: bytes) -> tuple[bytes, str]:
    """The bytes, and the encoding that writes exactly this run again ("" when none does)."""
    if len(run) % 4 == 0:  # as nearly all are: nothing needs to be looked for where it can be decoded as it is
        with contextlib.suppress(binascii.Error):
            data = pybase64.b64decode(run, validate=True)
            return data, PLAIN if _says_exactly(run, data, PLAIN) else ""
    noisy = any(mark in run for mark in ODD)
    text = plain(run) if noisy else run
    url_safe = b"-" in text or b"_" in text
    bare = (text.translate(FROM_URL_SAFE) if url_safe else text).rstrip(b"=")
    try:
        data = pybase64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return b"", ""
    padded = text.endswith(b"=") or len(text) % 4 == 0
    encoding = f"{'base64url' if url_safe else 'base64'}:{'padded' if padded else 'bare'}:0"
    if noisy:
        encoding += f":{_spellings(run)}:{_lines(run)}"
        return data, encoding if encode(data, encoding) == run else ""
    return data, encoding if _says_exactly(run, data, encoding) else ""


def _says_exactly(run: bytes, data: bytes, encoding: str) -> bool:
    """Without odd spellings only the alphabet and the last, padded group can differ."""
    mixed = encoding.startswith("base64url") and (b"+" in run or b"/" in run)
    last = len(data) // 3 * 3
    return not mixed and encode(data[last:], encoding) == run[last // 3 * 4 :]


def _spellings(run: bytes) -> str:
    """Each character that is spelled in an odd way, with its spelling, as hex; those of line breaks are no part of it."""
    odd = {_said(spelled): spelled for spelled in set(SPELLED.findall(run))}
    return ",".join(spelled.hex() for char, spelled in sorted(odd.items()) if char not in (b"\n", b"\r", b"\t", b" "))


def _lines(run: bytes) -> str:
    """How many characters a line has, what ends it, and whether the last one is ended too."""
    found = BREAK.search(run)
    if found is None:
        return ""
    ended = run.endswith(found[0])
    return f"{len(plain(run[: found.start()]))},{found[0].hex()},{int(ended)}"


def encode(data: bytes, encoding: str) -> bytes:
    """The run that `decode` read. An encoding is `alphabet:padding:backslashes before /[:spellings:lines]`."""
    alphabet, padding, escapes, *odd = encoding.split(":")
    run = pybase64.urlsafe_b64encode(data) if alphabet == "base64url" else pybase64.b64encode(data)
    if padding == "bare":
        run = run.rstrip(b"=")
    if int(escapes):
        run = run.replace(b"/", b"\\" * int(escapes) + b"/")
    return _written_oddly(run, *odd) if odd else run


def _written_oddly(run: bytes, spellings: str, lines: str) -> bytes:
    spelled = [bytes.fromhex(one) for one in spellings.split(",") if one]
    if not lines:
        return _spelled(run, spelled)
    width, ending, ended = lines.split(",")
    step, mark = int(width) or len(run) or 1, bytes.fromhex(ending)
    pieces: Iterable[bytes] = (_spelled(run[at : at + step], spelled) for at in range(0, len(run), step))
    return (b"" if int(width) else mark) + mark.join(pieces) + (mark if ended == "1" and int(width) else b"")


def _spelled(run: bytes, spelled: list[bytes]) -> bytes:
    """Each character at most once: what is written for one may hold another."""
    odd = {_said(one): one for one in spelled}
    if not odd:
        return run
    wanted = re.compile(b"[" + b"".join(re.escape(char) for char in odd) + b"]")
    return wanted.sub(lambda found: odd[found[0]], run)

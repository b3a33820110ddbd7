"""The pictures of a cut body as rows: where each stands, how it was given, and which links are pictures."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from gateway.content import framing, json_text, multipart
from gateway.content.cutting import Cutting, Find
from gateway.content.file_places import link_offsets, linked_images
from gateway.content.plain_text import clean_text
from gateway.content.sniff import DRAWN
from gateway.dialects.base import Part
from gateway.models import IMAGES, LOG_IMAGES, Image, LogImage, RequestLog
from gateway.translation.media import type_by_ending

MOST_LINKS, MOST_COPIES = 1000, 100
CUT_LENGTH = len("sha256:") + 64
UNTYPED = "no type"
# What stands in front of a file that fills its string; where a string is one of words; and where a type must be told.
OPENING = re.compile(rb"\s*(?:data:[^,]{0,400}?(?:,[^,]{0,200}?)?(?:,|u002[cC]))?(?:\s|\\[nrt])*", re.IGNORECASE)
TEXT_PLACE = re.compile(r"(?:^|\.)(?:text|content|arguments|output|instructions|input)$")
URL_PLACE = re.compile(r"(?:^|\.)(?:image_url(?:\.url)?|file_data)$")


def form_document(text: bytes, boundary: bytes) -> dict[str, Any]:
    """A multipart form as a document: text fields by name, the names of the file fields under `__files__`."""
    document: dict[str, Any] = {"__files__": []}
    for position, part in _named_parts(text, boundary):
        if part.filename is not None:
            document["__files__"].append(position)
        else:
            document[part.name] = text[part.start : part.end].decode("utf-8", "replace")
    return document


def _named_parts(text: bytes, boundary: bytes) -> Iterator[tuple[str, multipart.Part]]:
    seen: dict[str, int] = {}
    for part in multipart.parts(text, boundary):
        number = seen.get(part.name, 0)
        seen[part.name] = number + 1
        yield (f"{part.name}[{number}]" if number else part.name), part


def read_images(
    log: RequestLog, body: Cutting, content_type: str, direction: LogImage.Direction, parts: dict[str, Part]
) -> list[LogImage]:
    """One row for each place in the body where a picture stands, in the order of the body. `parts` are what the dialect
    read, by their positions.
    """
    by_id = [part for part in parts.values() if part.kind == "image" and part.position.endswith("file_id")]
    places = _places(body, content_type, whole=bool(by_id))
    found = [(find.at, _log_image(find, body.text, _place_of(find.at, places), content_type)) for find in body.finds]
    found += _links(body.text, places, parts)
    found += _by_id(by_id, places)
    rows = [row for _, row in sorted(found, key=lambda pair: pair[0])]
    for index, row in enumerate(rows):
        row.workspace_id, row.log_id = log.workspace_id, log.pk
        row.direction, row.index = direction, index
        row.position = clean_text(row.position, 300)
        row.detail = clean_text(parts[row.position].detail if row.position in parts else "", 10)
    return rows


def _places(body: Cutting, content_type: str, *, whole: bool) -> list[json_text.Text]:
    """The strings of a body that hold a file or are a link, or the `whole` of them, each with its path: of a form's parts,
    of each event of a stream, or of the JSON itself.
    """
    text, boundary = body.text, multipart.boundary_of(content_type)
    if boundary:
        return [json_text.Text(name, part.start, part.end) for name, part in _named_parts(text, boundary)]
    offsets = [find.at for find in body.finds] + link_offsets(text)
    if not offsets and not whole:
        return []
    if content_type.startswith("text/event-stream"):
        return [
            json_text.Text(f"event[{index}].{place.path}", place.start, place.end)
            for index, event in enumerate(framing.events(text))
            for place in json_text.strings(text, event.start, event.end)
        ]
    return list(json_text.strings(text) if whole else json_text.strings_at(text, offsets))


def _place_of(at: int, places: list[json_text.Text]) -> json_text.Text | None:
    index = bisect_right(places, at, key=lambda place: place.start) - 1
    return places[index] if index >= 0 and at <= places[index].end else None


def _is_in_text(find: Find, text: bytes, place: json_text.Text | None) -> bool:
    """Whether the model gets its characters: it stands among words, or in the place of words."""
    if place is None:
        return False
    rest = text[find.at + CUT_LENGTH : place.end] if find.cut else b""
    fills = OPENING.fullmatch(text, place.start, find.at) and not rest.strip()
    return not fills or TEXT_PLACE.search(place.path) is not None


def _by_id(parts: list[Part], places: list[json_text.Text]) -> Iterator[tuple[int, LogImage]]:
    starts = {place.path: place.start for place in places}
    for part in parts:
        yield (
            starts.get(part.position, 0),
            LOG_IMAGES.blank(
                position=part.position,
                source=LogImage.Source.ID,
                url=clean_text(part.text, 8192),
                snapshot=LogImage.Snapshot.OFF,
                snapshot_reason="given by its id: only the provider has it",
            ),
        )


def _links(text: bytes, places: list[json_text.Text], parts: dict[str, Part]) -> Iterator[tuple[int, LogImage]]:
    for count, link in enumerate(linked_images(text, places)[:MOST_LINKS]):
        is_copied = settings.SNAPSHOT == "on" and count < MOST_COPIES
        row = LOG_IMAGES.blank(
            position=link.path,
            source=LogImage.Source.LINK,
            url=clean_text(link.url, 8192),
            snapshot=LogImage.Snapshot.PENDING if is_copied else LogImage.Snapshot.OFF,
        )
        if link.path in parts and parts[link.path].kind == "file":
            row.declared_type = type_by_ending(link.url)
        if settings.SNAPSHOT == "on" and not is_copied:
            row.snapshot_reason = f"of one request, {MOST_COPIES} links are copied"
        yield link.start, row


def _log_image(find: Find, text: bytes, place: json_text.Text | None, content_type: str) -> LogImage:
    source = LogImage.Source.FILE if multipart.boundary_of(content_type) else LogImage.Source.DATA
    position = place.path if place else ""
    declared = find.declared
    if source == LogImage.Source.DATA and _is_in_text(find, text, place):
        source = LogImage.Source.TEXT
    elif not declared and URL_PLACE.search(position):
        declared = UNTYPED
    row = LOG_IMAGES.blank(position=position, source=source, declared_type=clean_text(declared, 100))
    if find.data:
        row.image_id = find.sha256
    else:
        row.snapshot, row.snapshot_reason = LogImage.Snapshot.FAILED, clean_text(find.problem, 200)
    return row


def image_row(find: Find) -> Image:
    """The row of a file, from what its first bytes say."""
    sniffed = find.sniffed
    drawn = sniffed is not None and sniffed.media_type in DRAWN
    return IMAGES.blank(
        sha256=find.sha256,
        media_type=sniffed.media_type if sniffed else "application/octet-stream",
        size=len(find.data),
        width=_side(sniffed.width) if sniffed else None,
        height=_side(sniffed.height) if sniffed else None,
        thumbnail=Image.Thumbnail.PENDING if drawn else Image.Thumbnail.NONE,
        thumbnail_problem="" if sniffed else "the bytes are not of a known image type",
    )


def _side(pixels: int | None) -> int | None:
    """A width or height that the database can hold; a header may claim anything."""
    return pixels if pixels is not None and 0 <= pixels < 2**31 else None

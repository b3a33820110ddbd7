"""Where a body holds links to pictures, by the paths at which the providers' formats keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.content import json_text
from gateway.content.json_text import parsed_or_none

IMAGE_LINK = re.compile(
    r"(?:^|\.)(?:image_url(?:\.url)?|source\.url|file_?[dD]ata\.file_?[uU]ri|images\[\d+\](?:\.url)?|image(?:\[\d+\])?|data\[\d+\]\.url)$"
)
LINK = re.compile(rb"https?:(?:\\?/){2}", re.IGNORECASE)


class LinkedImage(NamedTuple):
    """A link's path, its text as it was meant, and the offsets of the text inside its quotes."""

    path: str
    url: str
    start: int
    end: int


def linked_images(text: bytes, places: Sequence[json_text.Text] | None = None) -> list[LinkedImage]:
    """The links of a JSON body, or of the strings in it that are known already."""
    return list(_links(text, json_text.strings(text) if places is None else places)) if LINK.search(text) else []


def _links(text: bytes, places: Iterator[json_text.Text] | Sequence[json_text.Text]) -> Iterator[LinkedImage]:
    for place in places:
        if LINK.match(text, place.start, place.end) and IMAGE_LINK.search(place.path):
            url = parsed_or_none(b'"' + text[place.start : place.end] + b'"')
            if isinstance(url, str):
                yield LinkedImage(place.path, url, place.start, place.end)

"""What is odd about a picture, a sentence each."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.models import Image, LogImage
from gateway.pictures.image_warnings import warnings_of

MODEL = "gpt-4o"


def image(**fields: Any) -> LogImage:
    usual = {
        "sha256": "a" * 64,
        "media_type": "image/jpeg",
        "size": 3000,
        "width": 800,
        "height": 600,
        "thumbnail": "made",
    }
    own = {name: fields.pop(name) for name in ("source", "declared_type", "detail", "direction") if name in fields}
    kept = {"direction": "input", "index": 0, "source": "data"}
    return LogImage(image=Image(**usual | fields), **kept | own)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"orientation": 6}, "lying on its side"),
        ({"orientation": 3}, "upside down"),
        ({"has_gps": True}, "GPS"),
        ({"frames": 2}, "Animated"),
        ({"has_alpha": True}, "transparency"),
        ({"colour_mode": "CMYK"}, "CMYK"),
        ({"truncated": True}, "ends too early"),
        ({"blank": True}, "One colour all over"),
        ({"thumbnail": "failed", "thumbnail_problem": "image_undecodable"}, "Could not be decoded"),
        ({"declared_type": "image/png"}, "Declared as image/png, but the bytes are image/jpeg."),
        ({"width": 4032, "height": 3024}, "Resized by the provider to 1,024 × 768: send that, and save about 94%"),
    ],
)
def test_each_oddity_of_a_picture_is_one_sentence(fields: dict[str, Any], says: str) -> None:
    (sentence,) = warnings_of(image(**fields), MODEL)
    assert says in sentence


@pytest.mark.parametrize(
    "fields", [{}, {"declared_type": "image/jpg"}, {"orientation": 1}, {"detail": "low", "width": 500, "height": 500}]
)
def test_an_ordinary_picture_has_no_warning(fields: dict[str, Any]) -> None:
    assert warnings_of(image(**fields), MODEL) == []

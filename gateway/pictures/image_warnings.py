"""What is odd about a picture that was sent, in words: from what is in its bytes, and from what the model does to it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.models import Image, LogImage
from gateway.pictures import image_tokens

WORTH_SAYING = 0.4
TURNS = {3: "upside down", 6: "lying on its side", 8: "lying on its side", 5: "mirrored on its side"}


def warnings_of(one: LogImage, model: str) -> list[str]:
    """One sentence each; empty for a picture without oddities, or without a copy."""
    image = one.image
    if image is None:
        return []
    return [*_of_the_file(image), *_of_the_call(one, image), *_of_the_size(one, image, model)]


def _of_the_file(image: Image) -> Iterator[str]:
    if (image.orientation or 1) > 1:
        how = TURNS.get(image.orientation or 1, "mirrored")
        yield f"Rotated by EXIF (orientation {image.orientation}): a model that ignores EXIF sees it {how}."
    if image.has_gps:
        yield "Says in its EXIF where it was taken (GPS); the provider got that too."
    if (image.frames or 1) > 1:
        yield "Animated: most models look at one frame only."
    if image.has_alpha:
        yield "Has transparency: on which ground the model sees it is the provider's choice, often black."
    if image.colour_mode == "CMYK":
        yield "In CMYK: some providers refuse it, others show the model wrong colours."
    if image.truncated:
        yield "The file ends too early: its lower part is missing."
    if image.blank:
        yield "One colour all over: there is nothing to see."
    if image.thumbnail == Image.Thumbnail.FAILED:
        yield f"Could not be decoded here ({image.thumbnail_problem}); the provider may not manage either."


def _of_the_call(one: LogImage, image: Image) -> Iterator[str]:
    if one.source == LogImage.Source.TEXT and one.is_input:
        characters = -(-image.size // 3) * 4
        yield f"Stands in a text: the model got {characters:,} characters of base64, not a picture."
    if one.is_mistyped:
        yield f"Declared as {one.declared_type}, but the bytes are {image.media_type}."


def _of_the_size(one: LogImage, image: Image, model: str) -> Iterator[str]:
    """Bytes go with the pixels, near enough for advice."""
    if one.direction == LogImage.Direction.OUTPUT or not image.width or not image.height:
        return
    seen = image_tokens.as_seen(model, image.width, image.height, one.detail)
    if seen is None:
        return
    saved = 1 - seen.width * seen.height / (image.width * image.height)
    if saved >= WORTH_SAYING:
        yield (
            f"Resized by the provider to {seen.width:,} × {seen.height:,}: send that, and save about {saved:.0%} of the bytes."
        )

"""What the provider makes of a picture before the model sees it: its size, its cells, and what is still legible."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gateway.models import Image, LogImage
from gateway.pictures import image_tokens
from gateway.pictures.image_tokens import Grid, Seen

LEGIBLE_PIXELS = 8  # capital letters lower than this are guessed, not read


@dataclass(frozen=True, slots=True)
class Eye:
    """A picture of `width` x `height` pixels, as it is looked at, and what the model gets of it."""

    width: int
    height: int
    seen: Seen

    @property
    def is_scaled(self) -> bool:
        return (self.seen.width, self.seen.height) != (self.width, self.height)

    @property
    def cells(self) -> int:
        return self.seen.grid.columns * self.seen.grid.rows if self.seen.grid else 0

    @property
    def cells_title(self) -> str:
        """`6 tiles of 512 px`."""
        assert self.seen.grid is not None
        grid = self.seen.grid
        name = grid.name if self.cells == 1 else {"patch": "patches"}.get(grid.name, f"{grid.name}s")
        return f"{self.cells:,} {name} of {grid.width:.3g} px"

    @property
    def pixels(self) -> str:
        return f"{self.seen.width}x{self.seen.height}"

    @property
    def view_box(self) -> str:
        return f"0 0 {self.seen.width} {self.seen.height}"

    @property
    def lines(self) -> str:
        """The path of an SVG in the size that the model sees: the borders between cells."""
        return _lines(self.seen, self.seen.grid) if self.seen.grid else ""

    @property
    def legible_from(self) -> int:
        """How high a letter of the file must be, in pixels, so that the model gets eight; 0 where nothing is made smaller."""
        shrunk = self.height / self.seen.height
        return ceil(LEGIBLE_PIXELS * shrunk) if shrunk > 1 else 0


def eye_of(one: LogImage, model: str, detail: str = "") -> Eye | None:
    """At the `detail` that was asked for, or another. None for what the model gave, and where its rule is not known."""
    size = upright_size(one.image)
    if size is None or not one.is_input or not one.is_picture:
        return None
    seen = image_tokens.as_seen(model, *size, detail or one.detail)
    return Eye(*size, seen) if seen else None


def upright_size(image: Image | None) -> tuple[int, int] | None:
    """Width and height in pixels as a browser shows it; None where they are not known."""
    if image is None or not image.width or not image.height:
        return None
    return (image.width, image.height) if image.stands_upright else (image.height, image.width)


def _lines(seen: Seen, grid: Grid) -> str:
    down = [f"M{column * grid.width:g} 0v{seen.height}" for column in range(1, grid.columns)]
    across = [f"M0 {row * grid.height:g}h{seen.width}" for row in range(1, grid.rows)]
    return "".join(down + across)

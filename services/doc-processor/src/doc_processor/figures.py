"""Pictures within documents: what of them is worth describing, and how many of a document may be described."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from PIL import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
_DAMAGE = (OSError, SyntaxError, ValueError, OverflowError, KeyError, IndexError, TypeError, EOFError)
_SMALLEST = 64
"""Pixels; what is smaller is an icon, or a line."""
MOST_BYTES, MOST_PICTURES = 20_000_000, 500


@runtime_checkable
class Illustrated(Protocol):
    """An opened document whose pages may have pictures in them."""

    def figures(self, number: int) -> Sequence[Picture]:
        """Return the pictures of a page that are worth describing, as far as they can be decoded."""
        ...


@dataclass(slots=True)
class FigureAllowance:
    """The pictures of a document that may still be described, none once the vision model has failed, and the reason for the limit."""

    left: int = 0
    why: str = "at most VISION_FIGURES pictures of a document are described"

    def take(self, wanted: int) -> int:
        """Return how many of the wanted ones may be described, and count them."""
        given = min(wanted, self.left)
        self.left -= given
        return given

    def end(self, why: str) -> None:
        self.left, self.why = 0, why


def is_large(width: int, height: int, most_pixels: int) -> bool:
    return min(width, height) >= _SMALLEST and width * height <= most_pixels


def is_worth_describing(blob: bytes, most_pixels: int) -> bool:
    """Whether a file is a picture that can be decoded, and larger than an icon; only its head is looked at."""
    try:
        return len(blob) <= MOST_BYTES and is_large(*Image.open(io.BytesIO(blob), formats=_FORMATS).size, most_pixels)
    except _DAMAGE:
        return False


def decoded(blobs: Sequence[bytes]) -> list[Picture]:
    """Decode pictures, as far as they can be."""
    found: list[Picture] = []
    for blob in blobs:
        with suppress(*_DAMAGE):
            image = Image.open(io.BytesIO(blob), formats=_FORMATS)
            image.load()
            found.append(image)
    return found

"""Where a prepared picture lies on the page it was made of, so that words found in it can be shown there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture, and the affine map (3 x 3) from its pixels to shares of the page's width and height."""

    image: Image
    to_page: NDArray[np.float64]

    @classmethod
    def whole(cls, image: Image) -> Placed:
        """Take a picture that shows the whole page, upright as it is displayed."""
        return cls(image, np.diag([1 / image.width, 1 / image.height, 1.0]))

    def resized(self, image: Image) -> Placed:
        """Return the same picture in another size."""
        factors = self.image.width / image.width, self.image.height / image.height
        return Placed(image, self.to_page @ np.diag([*factors, 1.0]))

    def cropped(self, image: Image, box: Sequence[int]) -> Placed:
        """Return the part of the picture within a box in its pixels."""
        return Placed(image, self.to_page @ _shift(box[0], box[1]))

    def turned(self, image: Image, degrees: float) -> Placed:
        """Return the picture after a rotation by `degrees` counter-clockwise about its centre."""
        turn = radians(degrees)
        centre, before = _shift(-image.width / 2, -image.height / 2), self.image
        # Rows count downwards, so this is the inverse of what the eye sees as a counter-clockwise turn.
        back = np.array([[cos(turn), -sin(turn), 0], [sin(turn), cos(turn), 0], [0, 0, 1]])
        return Placed(image, self.to_page @ _shift(before.width / 2, before.height / 2) @ back @ centre)

    def same(self, image: Image) -> Placed:
        """Return a picture of the same size and place, whose pixels were changed."""
        return Placed(image, self.to_page)

    def box(self, box: Sequence[float]) -> Box:
        """Map a box in pixels to the smallest upright one on the page, in shares from 0 to 1."""
        left, top, right, bottom = box
        corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
        across, down = (self.to_page @ corners)[:2].clip(0, 1)
        return float(across.min()), float(down.min()), float(across.max()), float(down.max())


def _shift(across: float, down: float) -> NDArray[np.float64]:
    return np.array([[1, 0, across], [0, 1, down], [0, 0, 1]], dtype=np.float64)

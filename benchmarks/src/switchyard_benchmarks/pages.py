"""Pictures of pages as people take them: turned, askew, photographed; made from upright scans, the same at each run."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_TABLE = (70, 62, 55)
"""The colour of what a photographed page lies on."""
_FARTHEST = 0.045
"""How far a corner of a photographed page is moved, as a share of its sides."""
_DARKEST = 0.55
"""What the shadow leaves of the light."""

Making = Callable[[Image.Image, int], Image.Image]


def _turned(degrees: int) -> Making:
    return lambda picture, seed: picture.rotate(degrees, expand=True)


def _askew(picture: Image.Image, seed: int) -> Image.Image:
    paper = tuple(int(value) for value in np.percentile(np.asarray(picture)[::8, ::8].reshape(-1, 3), 80, axis=0))
    degrees = 3.0 if seed % 2 else -3.0
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def photographed(picture: Image.Image, seed: int) -> Image.Image:
    """Show a page from aslant, on a table, with a shadow over a part of it, a little out of focus."""
    chance = random.Random(seed)  # noqa: S311  # the same at each run
    edge = round(0.06 * max(picture.size))
    width, height = picture.width + 2 * edge, picture.height + 2 * edge
    corners = [(edge, edge), (width - edge, edge), (width - edge, height - edge), (edge, height - edge)]
    moved = [
        (
            x + chance.uniform(-_FARTHEST, _FARTHEST) * picture.width,
            y + chance.uniform(-_FARTHEST, _FARTHEST) * picture.height,
        )
        for x, y in corners
    ]
    source = [(0, 0), (picture.width, 0), (picture.width, picture.height), (0, picture.height)]
    page = picture.convert("RGBA").transform(
        (width, height), Image.Transform.PERSPECTIVE, _coefficients(moved, source), Image.Resampling.BICUBIC
    )
    lying = Image.alpha_composite(Image.new("RGBA", (width, height), (*_TABLE, 255)), page).convert("RGB")
    light = _shadow(width, height, chance)
    lit = Image.fromarray((np.asarray(lying, np.float32) * light[..., None]).clip(0, 255).astype(np.uint8))
    return lit.filter(ImageFilter.GaussianBlur(0.6))


def _coefficients(to: Sequence[tuple[float, float]], of: Sequence[tuple[float, float]]) -> list[float]:
    """Return the perspective map from places in the result to places in the source, as Pillow takes it."""
    rows, values = [], []
    for (x, y), (u, v) in zip(to, of, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows, float), np.array(values, float))]


def _shadow(width: int, height: int, chance: random.Random) -> NDArray[np.float32]:
    """Return the light on each pixel: full on one side of a soft, slanting edge, little on the other."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = chance.uniform(0, 2 * np.pi)
    along = (across / width - 0.5) * np.cos(angle) + (down / height - 0.5) * np.sin(angle)
    share = 1 / (1 + np.exp(-18 * (along - chance.uniform(-0.1, 0.1))))
    light: NDArray[np.float32] = (1 - (1 - _DARKEST) * share).astype(np.float32)
    return light


MAKINGS: Mapping[str, Making] = {
    "turned 90": _turned(90),
    "turned 180": _turned(180),
    "turned 270": _turned(270),
    "askew": _askew,
    "photographed": photographed,
}

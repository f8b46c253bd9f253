"""Preparation of pictures: grey, dark on light, of a good size; and for Tesseract evenly lit and level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from doc_processor.ocr.placement import Placed

MAX_PIXELS = 20_000_000  # A3 at 300 dpi is 17 million
_SMALL_SIDE, _TINY_SIDE = 1000, 600
_PAPER_CELLS, _BLACK, _SOME, _MOSTLY = 200, 64, 0.1, 0.6
_WIDEST_SKEW, _COARSE, _FINE = 12.0, 1.0, 0.1
_SKEW_SIDE = 800
_WORTH_TURNING = 0.25
_VISION_SIDE = 1600
_AVERAGED = ("L", "RGB", "RGBA", "LA", "CMYK")
_SOFT = 1.2  # pixels; between 0.7 and 1.6 all do good
_LIGHT_CELL, _PAPER_SHARE, _EVEN, _WHITE = 8, 0.3, 0.8, 245.0


def plain(image: Image.Image) -> Placed:
    """Prepare a page for finding and reading lines one by one, wherever they lie; one that was scanned sideways stays so."""
    whole = _greys(image)
    box = paper(whole)
    picture = _dark_on_light(whole.crop(box))
    smaller = _within_bounds(picture) if max(picture.size) >= _TINY_SIDE else scaled(picture, 2.0)
    return Placed.whole(whole).cropped(picture, box).resized(softened(smaller, bilevel=_is_bilevel(picture)))


def prepare(page: Placed) -> Placed:
    """Prepare a plain page for Tesseract."""
    return levelled(page.resized(evenly_lit(sized(page.image))))


def stretched(page: Placed) -> Placed:
    """Return a faded page with its ink dark and its paper white."""
    return page.same(ImageOps.autocontrast(page.image.filter(ImageFilter.MedianFilter(3)), cutoff=(0.5, 40)))


def paper(image: Image.Image) -> tuple[int, int, int, int]:
    """Return where the paper lies in a grey picture, left, top, right, bottom: scanners leave black around what is small."""
    factor = max(1, min(image.size) // _PAPER_CELLS)
    light = np.asarray(image.reduce(factor)) > _BLACK
    across, down = (np.flatnonzero(light.mean(axis=axis) > _SOME) for axis in (0, 1))
    if not across.size or not down.size:
        return (0, 0, *image.size)
    inside = light[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    outside = (light.sum() - inside.sum()) / max(1, light.size - inside.size)
    # Light text on a dark page is no paper.
    if inside.mean() < _MOSTLY or outside > _SOME / 2 or inside.size > 0.95 * light.size:
        return (0, 0, *image.size)
    left, right, top, bottom = (int(at) * factor for at in (across[0], across[-1] + 1, down[0], down[-1] + 1))
    return left, top, min(right, image.width), min(bottom, image.height)


def levelled(page: Placed) -> Placed:
    """Turn the picture so that its lines of text run level."""
    return turned(page, skew(page.image))


def turned(page: Placed, degrees: float) -> Placed:
    """Turn counter-clockwise; see `rotated`."""
    return page.turned(rotated(page.image, degrees), degrees)


def _halved(image: Image.Image) -> Image.Image:
    """Shrink very large pictures before anything else makes copies of them."""
    factor = int((image.width * image.height / MAX_PIXELS) ** 0.5)
    if factor < 2 or image.mode not in _AVERAGED:
        return image
    smaller = image.reduce(factor)
    smaller.info.update(image.info)
    smaller.getexif().update(image.getexif())
    return smaller


def shrunk(image: Image.Image) -> Image.Image:
    """Return the picture upright by its EXIF tag, and of a size that costs little memory."""
    return ImageOps.exif_transpose(_halved(image))


def softened(image: Image.Image, *, bilevel: bool) -> Image.Image:
    """Smooth the jagged edges of black-and-white scans: Tesseract was trained on grey letters."""
    return image.filter(ImageFilter.GaussianBlur(_SOFT)) if bilevel else image


def _is_bilevel(image: Image.Image) -> bool:
    return sum(1 for count in image.histogram() if count) <= 2


def grey(image: Image.Image) -> Image.Image:
    """Return 8-bit grey, upright by its EXIF tag, transparent parts white, light text on dark inverted."""
    return _dark_on_light(_greys(image))


def _greys(image: Image.Image) -> Image.Image:
    image = shrunk(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode.startswith(("I", "F")):
        # 16 bits and more: stretched to what is there.
        values = np.asarray(image, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        image = Image.fromarray(((values - low) * (255 / max(high - low, 1))).astype(np.uint8))
    return image.convert("L")


def _dark_on_light(image: Image.Image) -> Image.Image:
    return ImageOps.invert(image) if np.median(np.asarray(image)[::8, ::8]) < 80 else image


def evenly_lit(image: Image.Image) -> Image.Image:
    """Divide by the paper's own brightness where that varies much, as it does on photographs.

    Tesseract separates ink from paper by one threshold for the whole page, so that text in the shade is lost.
    """
    coarse = image.reduce(_LIGHT_CELL)
    around = coarse.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(6))
    light = np.asarray(around, dtype=np.float32)
    # Darker than this is not paper but the table under it, which must stay dark.
    floor = _PAPER_SHARE * float(light.max())
    paper = light[light > floor]
    if paper.size == 0 or np.percentile(paper, 10) > _EVEN * np.percentile(paper, 90):
        return image
    whole = around.resize(image.size, Image.Resampling.BILINEAR)
    values = np.asarray(image, dtype=np.float32) / np.maximum(np.asarray(whole, dtype=np.float32), floor)
    return Image.fromarray(np.clip(values * _WHITE, 0, 255).astype(np.uint8))


def sized(image: Image.Image) -> Image.Image:
    """Enlarge what is too small to find lines in, and shrink what is too large to be worth the time."""
    return scaled(image, 2.0) if max(image.size) < _SMALL_SIDE else _within_bounds(image)


def _within_bounds(image: Image.Image) -> Image.Image:
    pixels = image.width * image.height
    return scaled(image, (MAX_PIXELS / pixels) ** 0.5) if pixels > MAX_PIXELS else image


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Resize by `factor`, or by less where the result would pass `MAX_PIXELS`."""
    factor = min(factor, (MAX_PIXELS / (image.width * image.height)) ** 0.5)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """Rotate counter-clockwise; the corners get the colour of the paper."""
    if degrees % 90 == 0:
        return image.rotate(degrees, expand=True)
    paper = int(np.percentile(np.asarray(image)[::8, ::8], 80))
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def skew(image: Image.Image) -> float:
    """Return by how many degrees to turn the picture counter-clockwise so that lines of text run level; 0 if unsure.

    The angle is the one whose row sums of ink differ most from row to row (Postl's projection profile, 1986).
    """
    factor = min(1.0, _SKEW_SIDE / max(image.size))
    small = image.resize(
        (max(8, round(image.width * factor)), max(8, round(image.height * factor))), Image.Resampling.BOX
    )
    values = np.asarray(small, dtype=np.float32)
    background = np.asarray(small.resize(small.size).reduce(16).resize(small.size), dtype=np.float32)
    ink = Image.fromarray((np.clip(background - values - 12, 0, 80) * 3).astype(np.uint8))
    level = _contrast(ink, 0.0)
    if level == 0:
        return 0.0
    coarse = max(np.arange(-_WIDEST_SKEW, _WIDEST_SKEW + _COARSE, _COARSE), key=lambda angle: _contrast(ink, angle))
    fine = max(np.arange(coarse - _COARSE, coarse + _COARSE, _FINE), key=lambda angle: _contrast(ink, angle))
    clear = _contrast(ink, float(fine)) > 1.05 * level
    inside = abs(fine) < _WIDEST_SKEW  # the best at the very edge means that there is no best
    return float(fine) if clear and inside and abs(fine) >= _WORTH_TURNING else 0.0


def _contrast(ink: Image.Image, degrees: float) -> float:
    turned_ink = np.asarray(ink.rotate(degrees, Image.Resampling.BILINEAR))
    rows: NDArray[np.float32] = turned_ink.sum(axis=1, dtype=np.float32)
    return float(np.square(np.diff(rows)).sum())


def for_vision(image: Image.Image) -> Image.Image:
    """Return a picture of a size that vision models do not scale down."""
    image = shrunk(image).convert("RGB")
    image.thumbnail((_VISION_SIDE, _VISION_SIDE))
    return image

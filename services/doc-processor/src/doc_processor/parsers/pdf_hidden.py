"""Which text of a PDF page nobody sees: invisible by its rendering mode, white on white, tiny, or beside the page."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import pypdfium2.raw as pdfium_c

from doc_processor.hidden import TINY_POINTS, WHITE, Colour, HiddenText, alike

_MAX_OBJECTS = 20_000
_MAX_DEPTH = 8
_GROUND_PIXELS = 1024
_SCAN = 0.4
"""Share of the page under one picture from which invisible text is taken for the text of a scan."""
_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
Box = tuple[float, float, float, float]


def visible(layer: Any, raw: str, unseen: set[int], hidden: HiddenText) -> str:
    """Return the text without what is hidden on the page, or with marks around it; `unseen` are its text objects."""
    count = layer.count_chars()
    if not unseen or count == 0:
        return raw
    pieces: list[str] = []
    taken: list[str] = []
    units = [pdfium_c.FPDFText_GetUnicode(layer, at) for at in range(count)]
    for at, unit in enumerate(units):
        # Spaces and line ends that PDFium adds between objects belong to none, and to what is before them here.
        drawn = pdfium_c.FPDFText_GetTextObject(layer, at)
        is_hidden = _address(drawn) in unseen if drawn else bool(taken)
        if not is_hidden and taken:
            pieces.append(hidden.instead_of("".join(taken)) or "\n")
            taken = []
        (taken if is_hidden else pieces).append(chr(unit))
    if taken:
        pieces.append(hidden.instead_of("".join(taken)))
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_unseen(layer: Any, at: int, unseen: set[int]) -> bool:
    """Whether a character of a text page is drawn by one of the objects."""
    drawn = pdfium_c.FPDFText_GetTextObject(layer, at)
    return bool(drawn) and _address(drawn) in unseen


def unseen_objects(page: Any, covered: Callable[[], float]) -> set[int]:
    """Return the addresses of the text objects that are hidden; `covered` tells the share of the page under its largest picture."""
    shown: Box = page.get_cropbox()
    objects = list(islice(page.get_objects(max_depth=_MAX_DEPTH), _MAX_OBJECTS))
    texts = [each for each in objects if each.type == pdfium_c.FPDF_PAGEOBJ_TEXT]
    unseen: set[int] = set()
    ground = cache(lambda: _Ground(objects, shown))
    scanned = cache(lambda: covered() >= _SCAN)
    for text in texts:
        if text.container is not None:
            continue  # its place is in the form's own space
        box: Box = text.get_bounds()
        mode = pdfium_c.FPDFTextObj_GetTextRenderMode(text)
        invisible = mode in _INVISIBLE and not scanned()
        away = box[2] <= shown[0] or box[0] >= shown[2] or box[3] <= shown[1] or box[1] >= shown[3]
        if invisible or away or _is_tiny(text) or (mode == 0 and _is_white(text) and not ground().covers(box)):
            unseen.add(_address(text.raw))
    return unseen


def _is_tiny(text: Any) -> bool:
    size = ctypes.c_float()
    if not pdfium_c.FPDFTextObj_GetFontSize(text, size):
        return False
    matrix = text.get_matrix()
    scale = max(abs(matrix.a) + abs(matrix.b), abs(matrix.c) + abs(matrix.d))
    return bool(0 < size.value * scale < TINY_POINTS)


def _is_white(each: Any) -> bool:
    colour = _fill(each)
    return colour is not None and alike(colour, WHITE)


def _fill(each: Any) -> Colour | None:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium_c.FPDFPageObj_GetFillColor(each, red, green, blue, alpha):
        return None
    return WHITE if alpha.value == 0 else (red.value, green.value, blue.value)


class _Ground:
    """What is not white and may lie behind text: pictures, shadings, forms and filled shapes, as a coarse picture.

    One picture and not a list, which a page of thousands of shapes and words would make slow.
    """

    def __init__(self, objects: list[Any], shown: Box) -> None:
        from PIL import Image, ImageDraw

        self._shown = shown
        self._mask = Image.new("1", (_GROUND_PIXELS, _GROUND_PIXELS))
        draw = ImageDraw.Draw(self._mask)
        for each in objects:
            if each.type == pdfium_c.FPDF_PAGEOBJ_TEXT or (each.type == pdfium_c.FPDF_PAGEOBJ_PATH and _is_white(each)):
                continue
            left, bottom, right, top = each.get_bounds()
            if left <= right and bottom <= top:
                draw.rectangle((self._pixel(left, bottom), self._pixel(right, top)), fill=1)

    def covers(self, box: Box) -> bool:
        return bool(self._mask.getpixel(self._pixel((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)))

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        left, bottom, right, top = self._shown
        places = ((x - left) / max(1.0, right - left), (y - bottom) / max(1.0, top - bottom))
        across, up = (int(max(0.0, min(0.999, place)) * _GROUND_PIXELS) for place in places)
        return across, up


def _address(each: Any) -> int:
    return ctypes.addressof(each.contents)

"""Where the words of a PDF's text layer stand on the picture of the page."""

from __future__ import annotations

import ctypes

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from doc_processor.parsers.base import PageWord

_MOST_CHARACTERS = 100_000
_DEVICE = 1_000_000
"""Device units across the page: coordinates come as whole numbers."""
_BROKEN = "\u0002\ufffe"
"""PDFium's marks of a hyphen at the end of a line."""


def words_of(page: pdfium.PdfPage, layer: pdfium.PdfTextPage) -> list[PageWord]:
    """Return the words in the layer's order, rotation and crop box taken into account (FPDF_PageToDevice)."""
    words, text, box = list[PageWord](), "", _Union()
    for index in range(min(layer.count_chars(), _MOST_CHARACTERS)):
        character = chr(pdfium_c.FPDFText_GetUnicode(layer, index))
        if character.isspace() or character in _BROKEN or character == "\x00":
            if text:
                words.append(PageWord(text, _on_picture(page, box)))
            text, box = "", _Union()
            continue
        text += character
        box.add(layer.get_charbox(index, loose=True))
    return [*words, PageWord(text, _on_picture(page, box))] if text else words


class _Union:
    """The smallest box around others: left, bottom, right, top in points."""

    def __init__(self) -> None:
        self.left = self.bottom = float("inf")
        self.right = self.top = float("-inf")

    def add(self, box: tuple[float, float, float, float]) -> None:
        left, bottom, right, top = box
        self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
        self.right, self.top = max(self.right, right), max(self.top, top)


def _on_picture(page: pdfium.PdfPage, box: _Union) -> tuple[float, float, float, float]:
    one, other = _point(page, box.left, box.top), _point(page, box.right, box.bottom)
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
    return left, top, right, bottom


def _point(page: pdfium.PdfPage, across: float, up: float) -> tuple[float, float]:
    x, y = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDF_PageToDevice(page, 0, 0, _DEVICE, _DEVICE, 0, across, up, x, y)
    return min(1.0, max(0.0, x.value / _DEVICE)), min(1.0, max(0.0, y.value / _DEVICE))

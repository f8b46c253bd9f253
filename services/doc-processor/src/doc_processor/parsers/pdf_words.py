"""Where the words of a PDF page stand, by PDFium's boxes of their first and last characters."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import pypdfium2.raw as pdfium_c

from doc_processor.parsers.pdf_layout import LIST_MARK, Line, Word

_WORD = re.compile(r"\S+")
_MOST_PATHS = 5000
_SHORTEST_LINE, _THICKEST = 15.0, 3.0
"""Points."""
_BROKEN = "\u0002\ufffe"
"""What PDFium puts at the end of a word that goes on in the next line; its box is that of the next character."""


def level_lines(page: Any) -> list[Line]:
    """List the level lines that are drawn on a page, the edges of boxes included."""
    found: list[Line] = []
    for path in islice(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_PATH], max_depth=4), _MOST_PATHS):
        if path.container is not None:
            continue  # its place is in the form's own space
        left, bottom, right, top = path.get_bounds()
        if right - left >= _SHORTEST_LINE:
            found += (
                [(left, right, bottom), (left, right, top)] if top - bottom > _THICKEST else [(left, right, bottom)]
            )
    return found


def words(layer: Any, text: str) -> list[Word]:
    """List the words of a text page whose text is `text`, in the order in which they were drawn."""
    raw = layer.raw
    # Loose boxes are as wide as a character's advance: a narrow digit makes no gap.
    first, end_box = pdfium_c.FS_RECTF(), pdfium_c.FS_RECTF()
    found: list[Word] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        last = end - 2 if text[end - 1] in _BROKEN and end - start > 1 else end - 1
        if not pdfium_c.FPDFText_GetLooseCharBox(raw, start, first):
            continue
        pdfium_c.FPDFText_GetLooseCharBox(raw, last, end_box)
        box = (first.left, max(first.left, end_box.right), first.bottom, first.top)
        upright = abs(end_box.bottom - first.bottom) <= max(first.top - first.bottom, end_box.right - first.left)
        mark = LIST_MARK.fullmatch(match.group()) is not None
        found.append(Word(start, end, *box, text[last] == ":", mark, upright))
    return found

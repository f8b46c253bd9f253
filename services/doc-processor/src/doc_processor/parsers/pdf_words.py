"""Where the words of a PDF page stand, by PDFium's boxes of their first and last characters."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import pypdfium2.raw as pdfium_c

from doc_processor.parsers.pdf_layout import LIST_MARK, Word

_WORD = re.compile(r"\S+")
_BROKEN = "\u0002\ufffe"
"""What PDFium puts at the end of a word that goes on in the next line; its box is that of the next character."""


def words(layer: Any, text: str) -> list[Word]:
    """List the words of a text page whose text is `text`, in the order in which they were drawn."""
    raw = layer.raw
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    loose = pdfium_c.FS_RECTF()
    found = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        last = end - 2 if text[end - 1] in _BROKEN and end - start > 1 else end - 1
        if not pdfium_c.FPDFText_GetLooseCharBox(raw, start, loose):
            continue
        pdfium_c.FPDFText_GetCharBox(raw, start, left, right, bottom, top)
        begin, base = left.value, bottom.value
        pdfium_c.FPDFText_GetCharBox(raw, last, left, right, bottom, top)
        level = abs(bottom.value - base) <= max(loose.top - loose.bottom, right.value - begin)
        box = (begin, max(begin, right.value), loose.bottom, loose.top)
        found.append(Word(start, end, *box, text[last] == ":", LIST_MARK.fullmatch(match.group()) is not None, level))
    return found

"""What people filled in, typed, noted or attached on a PDF page, which the text layer does not hold."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pypdfium2.raw as pdfium_c

_MAX_ANNOTATIONS = 2000
_MAX_BYTES = 65_536
_TICKED = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
_MARKS = (
    pdfium_c.FPDF_ANNOT_HIGHLIGHT, pdfium_c.FPDF_ANNOT_UNDERLINE, pdfium_c.FPDF_ANNOT_SQUIGGLY, pdfium_c.FPDF_ANNOT_STRIKEOUT,
)  # fmt: skip
_NOTES = (
    *_MARKS, pdfium_c.FPDF_ANNOT_TEXT, pdfium_c.FPDF_ANNOT_STAMP, pdfium_c.FPDF_ANNOT_CARET, pdfium_c.FPDF_ANNOT_INK,
    pdfium_c.FPDF_ANNOT_SQUARE, pdfium_c.FPDF_ANNOT_CIRCLE, pdfium_c.FPDF_ANNOT_LINE, pdfium_c.FPDF_ANNOT_POLYGON,
    pdfium_c.FPDF_ANNOT_FILEATTACHMENT,
)  # fmt: skip
_UNSEEN = 2 | 32
"""Flags of what is hidden, or not shown on screens (ISO 32000-1, 12.5.3)."""
_MAX_QUADS, _MAX_MARKED = 100, 200
_PUSHED = pdfium_c.FPDF_FORMFIELD_PUSHBUTTON


def filled_in(page: Any, form: Any, layer: Any) -> list[str]:
    """List the page's filled fields as `name: value`, ticked boxes as `name: yes`, free text as it is, and notes as notes."""
    lines = []
    for annotation in _annotations(page):
        if pdfium_c.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
            continue
        kind = pdfium_c.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium_c.FPDF_ANNOT_FREETEXT:
            lines.append(_text(partial(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")))
        elif kind == pdfium_c.FPDF_ANNOT_WIDGET and form is not None:
            lines.append(_field(annotation, form))
        elif kind in _NOTES:
            lines.append(_note(annotation, layer if kind in _MARKS else None))
    return [line for line in dict.fromkeys(lines) if line]


def attached(page: Any) -> list[str]:
    """List the names of the files that are attached to places on the page."""
    names = []
    for annotation in _annotations(page):
        if pdfium_c.FPDFAnnot_GetSubtype(annotation) == pdfium_c.FPDF_ANNOT_FILEATTACHMENT:
            file = pdfium_c.FPDFAnnot_GetFileAttachment(annotation)
            names.append((_text(partial(pdfium_c.FPDFAttachment_GetName, file)) if file else "") or "without a name")
    return names


def _note(annotation: Any, layer: Any) -> str:
    """Return a note with who made it, and the words that it is about where it is a mark on some."""
    text = _text(partial(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents"))
    if not text:
        return ""
    who = _text(partial(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"T"))
    marked = _marked(annotation, layer) if layer is not None else ""
    return f"Note{f' ({who})' if who else ''}{f' on “{marked}”' if marked and marked != text else ''}: {text}"


def _marked(annotation: Any, layer: Any) -> str:
    """Return the words below a highlight, or what else marks them."""
    words = []
    points = pdfium_c.FS_QUADPOINTSF()
    for index in range(min(_MAX_QUADS, pdfium_c.FPDFAnnot_CountAttachmentPoints(annotation))):
        if pdfium_c.FPDFAnnot_GetAttachmentPoints(annotation, index, points):
            across = (points.x1, points.x2, points.x3, points.x4)
            up = (points.y1, points.y2, points.y3, points.y4)
            words.append(layer.get_text_bounded(min(across), min(up), max(across), max(up)))
    return " ".join(" ".join(words).split())[:_MAX_MARKED]


def _field(annotation: Any, form: Any) -> str:
    kind = pdfium_c.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind == _PUSHED:
        return ""
    # The alternate name is what viewers show; the name proper is often `Text12`.
    name = _text(partial(pdfium_c.FPDFAnnot_GetFormFieldAlternateName, form, annotation))
    name = name or _text(partial(pdfium_c.FPDFAnnot_GetFormFieldName, form, annotation))
    if kind in _TICKED:
        return f"{name}: yes" if pdfium_c.FPDFAnnot_IsChecked(form, annotation) else ""
    value = _text(partial(pdfium_c.FPDFAnnot_GetFormFieldValue, form, annotation))
    return f"{name}: {value}" if value else ""


def _annotations(page: Any) -> Iterator[Any]:
    for index in range(min(pdfium_c.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                yield annotation
            finally:
                pdfium_c.FPDFPage_CloseAnnot(annotation)


def _text(read: Callable[[Any, int], int]) -> str:
    """Call one of PDFium's string readers, which tell the size in bytes when given no room, and write UTF-16."""
    size = read(None, 0)
    if not 2 < size <= _MAX_BYTES:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    read(buffer, size)
    return " ".join(bytes(buffer).decode("utf-16-le", "replace").rstrip("\0").split())

"""What people filled in or typed onto a PDF page: form fields and free text, which the text layer does not hold."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pypdfium2.raw as pdfium_c

_MAX_ANNOTATIONS = 2000
_MAX_BYTES = 65_536
_TICKED = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
_PUSHED = pdfium_c.FPDF_FORMFIELD_PUSHBUTTON


def filled_in(page: Any, form: Any) -> list[str]:
    """List the page's filled fields as `name: value`, ticked boxes as `name: yes`, and free text as it is."""
    lines = []
    for annotation in _annotations(page):
        kind = pdfium_c.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium_c.FPDF_ANNOT_FREETEXT:
            lines.append(_text(partial(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")))
        elif kind == pdfium_c.FPDF_ANNOT_WIDGET and form is not None:
            lines.append(_field(annotation, form))
    return [line for line in dict.fromkeys(lines) if line]


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

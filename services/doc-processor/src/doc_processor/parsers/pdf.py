"""PDF: the text layer page by page with PDFium, and pictures of pages with poppler."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pdf2image
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from pdf2image.exceptions import PDFInfoNotInstalledError, PDFPageCountError, PDFSyntaxError

from doc_processor.figures import is_large
from doc_processor.hidden import HiddenText
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, PageView, ParsedPage, ParseLimits, ParseWarning, Upload
from doc_processor.parsers.parts import Parts, shown
from doc_processor.parsers.pdf_drawings import Box, drawings
from doc_processor.parsers.pdf_file import attachments, layers, properties
from doc_processor.parsers.pdf_forms import attached, filled_in
from doc_processor.parsers.pdf_hidden import is_unseen, unseen_objects, visible
from doc_processor.parsers.pdf_layout import Layout, TableEdge, layout
from doc_processor.parsers.pdf_text import joined, laid_out, trusted
from doc_processor.parsers.pdf_view import words_of
from doc_processor.parsers.pdf_words import level_lines, words
from doc_processor.refusals import NoPages, PasswordRequired, TooManyPages, Unreadable
from doc_processor.sniff import CODE, PICTURES
from doc_processor.text import tidy

if TYPE_CHECKING:
    from PIL.Image import Image

_POINTS_PER_INCH = 72
_MAX_RENDERED_PIXELS = 18_000_000
_MAX_VIEWED_PIXELS = 6_000_000
_MAX_OBJECTS = 2000
_FIGURE_SHARE = (0.02, 0.85)
_DRAWING_DPI, _AROUND = 150, 18.0
_ENOUGH_LETTERS = 200
_MOST_PAGES_OF_TABLE = 50
_LOCKED = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
_PAGE_TREE, _COUNT_OF_NONE = re.compile(rb"/Type\s*+/Pages\b"), re.compile(rb"/Count\s++0\b")


class Pages:
    """An open PDF; to be used in one thread of a process of its own."""

    def __init__(self, document: pdfium.PdfDocument, path: Path, limits: ParseLimits) -> None:
        self._document = document
        self._path = path
        self._limits = limits
        self.pages = len(document)
        self._form = document.formenv
        self._edges: dict[int, TableEdge | None] = {}
        first = self._layout_of(1)
        self.properties = properties(document, path, first.heading() if first is not None else "", self._text_of(1))
        self.warnings = layers(path)

    def page(self, number: int) -> ParsedPage:
        """Read the text layer, and say whether it is good enough to do without OCR."""
        try:
            page = self._document[number - 1]
        except pdfium.PdfiumError as error:
            raise Unreadable("the page is damaged") from error
        try:
            layer = page.get_textpage()
            raw = layer.get_text_range()
            hidden = HiddenText.of(self._limits)
            unseen = unseen_objects(page, lambda: _covered(page))
            seen = visible(layer, raw, unseen, hidden)
            text = tidy(self._in_reading_order(number, _layout(page, layer, raw, unseen)) or laid_out(layer, raw, seen))
            extra = [line for line in map(tidy, filled_in(page, self._form, layer)) if line not in text]
            letters = sum(1 for character in text if character.isalnum())
            covered = 0.0 if letters >= _ENOUGH_LETTERS else _covered(page)
            good = trusted(seen, covered, drawn=letters > 0 or _has_content(page))
            figures = _count_figures(page, self._limits) if good else 0
            notes = [*hidden.warnings, *(_not_read(name) for name in attached(page))]
            layer.close()
        except pdfium.PdfiumError as error:
            raise Unreadable("the page is damaged") from error
        finally:
            page.close()
        text = "\n\n".join(filter(None, [text, *extra]))
        if self._limits.figures or not figures:
            return ParsedPage(text, "text-layer", None, tuple(notes), not good, figures=figures)
        notes.append(ParseWarning("pictures-not-read", f"{figures} pictures on the page were not read"))
        return ParsedPage(text, "text-layer", None, tuple(notes), not good)

    def figures(self, number: int) -> list[Image]:
        """Return the pictures and drawings on a page that are worth describing, as the page shows them."""
        found: list[Image] = []
        page = self._document[number - 1]
        for figure in _figures(page, self._limits):
            with suppress(pdfium.PdfiumError, ValueError, OSError):
                found.append(_cut_out(page, figure) if isinstance(figure, tuple) else _decoded(figure))
        page.close()
        return found

    def _in_reading_order(self, number: int, found: Layout | None) -> str:
        """Return the text of a page with columns or tables; "" for any other, whose order is that in which it was drawn."""
        if found is None or self._limits.hidden_text == "keep":
            return ""
        continued = self._edge(number - 1) if found.may_go_on else None
        found.go_on(continued)
        if found.is_plain:
            return ""
        return joined(found.written(continued))

    def _edge(self, number: int) -> TableEdge | None:
        """Return the table with which a page ends; those before it are looked at as far as the table may reach back."""
        first = number
        while first > 0 and number - first < _MOST_PAGES_OF_TABLE and first not in self._edges:
            found = self._layout_of(first)
            if found is None or found.last_table() is None:
                self._edges[first] = None
            elif found.first_table() is not found.last_table():
                self._edges[first] = found.edge(None)
            else:
                first -= 1
        edge = self._edges.get(first)
        for page in range(first + 1, number + 1):
            found = self._layout_of(page)
            edge = self._edges[page] = found.edge(edge) if found is not None else None
        return edge

    def _text_of(self, number: int) -> str:
        try:
            page = self._document[number - 1]
            layer = page.get_textpage()
            try:
                return str(layer.get_text_range())
            finally:
                layer.close()
                page.close()
        except pdfium.PdfiumError:
            return ""

    def _layout_of(self, number: int) -> Layout | None:
        try:
            page = self._document[number - 1]
            layer = page.get_textpage()
            try:
                unseen = unseen_objects(page, lambda: _covered(page))
                return _layout(page, layer, layer.get_text_range(), unseen)
            finally:
                layer.close()
                page.close()
        except pdfium.PdfiumError:
            return None

    def render(self, number: int) -> Image:
        """Render at the set resolution, or at less where the page is huge; poppler first, else PDFium."""
        page = self._document[number - 1]
        width, height = (max(1.0, side) / _POINTS_PER_INCH for side in page.get_size())
        dpi = min(float(self._limits.render_dpi), (_MAX_RENDERED_PIXELS / (width * height)) ** 0.5)
        try:
            pictures = pdf2image.convert_from_path(
                self._path, dpi=max(1, int(dpi)), first_page=number, last_page=number, grayscale=True,
                use_cropbox=True,
            )  # fmt: skip
            if pictures:
                return pictures[0]
        except (PDFInfoNotInstalledError, PDFPageCountError, PDFSyntaxError, OSError, ValueError):
            pass  # PDFium opened it, so PDFium may well render what poppler does not
        try:
            rendered: Image = page.render(scale=dpi / _POINTS_PER_INCH, grayscale=True).to_pil()
            return rendered
        except pdfium.PdfiumError as error:
            raise Unreadable("the page cannot be rendered") from error
        finally:
            page.close()

    def view(self, number: int, width: int) -> PageView:
        """Render in colour, form fields included; raises `Unreadable`."""
        try:
            page = self._document[number - 1]
            across, up = (max(1.0, side) for side in page.get_size())
            scale = min(width / across, (_MAX_VIEWED_PIXELS / (across * up)) ** 0.5)
            layer = page.get_textpage()
            return PageView(page.render(scale=scale, may_draw_forms=True).to_pil(), words_of(page, layer))
        except pdfium.PdfiumError as error:
            raise Unreadable("the page cannot be shown") from error

    def close(self) -> None:
        self._document.close()


def parse(upload: Upload, limits: ParseLimits) -> Opened:
    """Raise `PasswordRequired`, `Unreadable`, `NoPages` or `TooManyPages`; an owner password alone is no hindrance."""
    try:
        document = pdfium.PdfDocument(upload.path)
    except pdfium.PdfiumError as error:
        if error.err_code in _LOCKED:
            raise PasswordRequired("the document is encrypted and needs a password") from error
        if _declares_no_pages(upload.path.read_bytes()):
            raise NoPages("the document has no pages") from error
        raise Unreadable("the file is not a readable PDF: it is damaged or cut short") from error
    with suppress(pdfium.PdfiumError):
        # Before anything else is asked of it, or the fields stay unknown.
        document.init_forms()
    count = len(document)
    if count == 0:
        raise NoPages("the document has no pages")
    if count > limits.max_pages:
        raise TooManyPages(f"the document has {count} pages; at most {limits.max_pages} are read")
    pages = Pages(document, upload.path, limits)
    return _with_attachments(pages, document, upload, limits) if document.count_attachments() else pages


def _with_attachments(pages: Pages, document: pdfium.PdfDocument, upload: Upload, limits: ParseLimits) -> Parts:
    """Add the pages of attached documents; pictures and code are named: mostly parts and settings of the document itself."""
    parts = Parts(pages, upload.path.parent, limits, open_as)
    for name, data in attachments(document, limits.max_unpacked_bytes):
        parts.add(name, "", data, without=(*PICTURES, CODE))
    return parts


def _layout(page: pdfium.PdfPage, layer: pdfium.PdfTextPage, raw: str, unseen: set[int]) -> Layout | None:
    """Lay out what is seen of a page."""
    # Only then is a place in the text a place in the layer.
    if layer.count_chars() != len(raw):
        return None
    shown = [word for word in words(layer, raw) if not unseen or not is_unseen(layer, word.start, unseen)]
    return layout(raw, shown, lambda: level_lines(page))


def _declares_no_pages(data: bytes) -> bool:
    """Whether a dictionary is a page tree, and says that it holds none."""
    return any(_COUNT_OF_NONE.search(part) and _PAGE_TREE.search(part) for part in data.split(b">"))


def _covered(page: pdfium.PdfPage) -> float:
    """Return the largest share of the page that one picture covers."""
    width, height = page.get_size()
    largest = 0.0
    for image in islice(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=4), _MAX_OBJECTS):
        left, bottom, right, top = image.get_bounds()
        visible_width = min(right, width) - max(left, 0)
        visible_height = min(top, height) - max(bottom, 0)
        if visible_width > 0 and visible_height > 0:
            largest = max(largest, visible_width * visible_height / (width * height))
    return largest


def _figures(page: pdfium.PdfPage, limits: ParseLimits) -> list[pdfium.PdfImage | Box]:
    """List pictures that are no decoration, and not the page itself, and the places of drawings without any of them."""
    found: list[pdfium.PdfImage | Box] = []
    places: list[Box] = []
    area = max(1.0, page.get_width() * page.get_height())
    for image in islice(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=4), _MAX_OBJECTS):
        left, bottom, right, top = image.get_bounds()
        share = (right - left) * (top - bottom) / area
        width, height = image.get_px_size()
        if _FIGURE_SHARE[0] <= share <= _FIGURE_SHARE[1] and is_large(width, height, limits.max_image_pixels):
            found.append(image)
            places.append((left, bottom, right, top))
    drawn = [box for box in drawings(page) if not any(_touch(box, place) for place in places)]
    return [*found, *drawn]


def _count_figures(page: pdfium.PdfPage, limits: ParseLimits) -> int:
    with suppress(pdfium.PdfiumError):
        return len(_figures(page, limits))
    return 0


def _not_read(name: str) -> ParseWarning:
    return ParseWarning("attachment-not-read", f"the file on the page, {shown(name)}, was not read: add it by itself")


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _decoded(image: pdfium.PdfImage) -> Image:
    decoded: Image = image.get_bitmap(render=True, scale_to_original=True).to_pil()
    return decoded


def _cut_out(page: pdfium.PdfPage, box: Box) -> Image:
    """Render a part of a page, and a little around it, where the labels of a drawing stand."""
    shown = page.get_bbox()
    left, bottom = (max(0.0, at - start - _AROUND) for at, start in zip(box[:2], shown[:2], strict=True))
    right, top = (max(0.0, end - at - _AROUND) for at, end in zip(box[2:], shown[2:], strict=True))
    drawn: Image = page.render(scale=_DRAWING_DPI / _POINTS_PER_INCH, crop=(left, bottom, right, top)).to_pil()
    return drawn


def _has_content(page: pdfium.PdfPage) -> bool:
    return next(iter(page.get_objects(max_depth=1)), None) is not None

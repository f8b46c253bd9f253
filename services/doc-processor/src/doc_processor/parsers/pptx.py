"""Presentations: a page per slide, with title, text, tables and speaker notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lxml import etree
from lxml.etree import XMLSyntaxError
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.exc import PackageNotFoundError, PythonPptxError

from doc_processor import containers, markdown
from doc_processor.drawings import drawn
from doc_processor.figures import MOST_PICTURES, is_worth_describing
from doc_processor.grids import Grid, Span
from doc_processor.hidden import TINY_POINTS, Colour, HiddenText, alike, hexadecimal
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.refusals import NoPages, TooManyPages, Unreadable
from doc_processor.text import tidy
from doc_processor.titles import title_of

_DAMAGE = (
    PackageNotFoundError, PythonPptxError, XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError, AttributeError,
    TypeError, IndexError, AssertionError, OSError,
)  # fmt: skip
_MAX_DEPTH = 20
_A, _P = (f"{{http://schemas.openxmlformats.org/{name}/2006/main}}" for name in ("drawingml", "presentationml"))


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    containers.check(upload.path, limits)
    try:
        presentation = Presentation(str(upload.path))
        slides = list(presentation.slides)
    except _DAMAGE as error:
        raise Unreadable("the file is not a readable PPTX presentation") from error
    if not slides:
        raise NoPages("the presentation has no slides")
    if len(slides) > limits.max_pages:
        raise TooManyPages(f"the presentation has {len(slides)} slides; at most {limits.max_pages} are read")
    size = (presentation.slide_width or 0, presentation.slide_height or 0)
    pictures = {number: _figures(slide, limits) for number, slide in enumerate(slides, 1)} if limits.figures else {}
    pages = [_slide(slide, size, limits, len(pictures.get(number, ()))) for number, slide in enumerate(slides, 1)]
    return ReadyPages(pages, (), _properties(presentation, pages), pictures)


def _figures(slide: Any, limits: ParseLimits) -> list[bytes]:
    """Return the pictures on a slide that are worth describing."""
    found: list[bytes] = []
    with suppress(*_DAMAGE):
        for shape in _flatten(slide.shapes):
            with suppress(*_DAMAGE):
                if shape.shape_type == MSO_SHAPE_TYPE.PICTURE:
                    found.append(shape.image.blob)
    return [blob for blob in found if is_worth_describing(blob, limits.max_image_pixels)][:MOST_PICTURES]


def _properties(presentation: Any, pages: list[ParsedPage]) -> Properties:
    try:
        own = presentation.core_properties
        created, modified = (moment.isoformat() if moment else "" for moment in (own.created, own.modified))
        title = title_of([page.text for page in pages], own.title)
        return Properties(title, own.author, created, modified, own.language)
    except _DAMAGE:
        return Properties()


def _slide(slide: Any, size: tuple[int, int], limits: ParseLimits, figures: int) -> ParsedPage:
    """Read a slide, of whose pictures some will be described."""
    try:
        return _read(slide, size, HiddenText.of(limits), figures)
    except _DAMAGE:
        return ParsedPage("", "pptx", warnings=(ParseWarning("page-failed", "the slide is damaged"),))


def _read(slide: Any, size: tuple[int, int], hidden: HiddenText, figures: int) -> ParsedPage:
    title = slide.shapes.title
    blocks = [markdown.heading(title.text_frame.text, 1)] if title is not None and title.has_text_frame else []
    pictures = objects = undrawn = 0
    for shape in _flatten(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.has_text_frame and _is_unseen(shape, size):
            blocks.append(hidden.instead_of(shape.text_frame.text))
        elif shape.has_text_frame:
            _take_out(shape, hidden)
            blocks.append(_frame(shape.text_frame, bulleted=shape.is_placeholder))
        elif getattr(shape, "has_table", False):
            blocks.append(_table(shape.table))
        elif shape.shape_type == MSO_SHAPE_TYPE.EMBEDDED_OLE_OBJECT or shape.shape_type == MSO_SHAPE_TYPE.MEDIA:
            objects += 1
        elif shape._element.tag == f"{_P}graphicFrame":
            texts, missing = drawn(shape._element, slide.part.rels)
            blocks += texts
            undrawn += missing
        elif shape.shape_type == MSO_SHAPE_TYPE.PICTURE:
            pictures += 1
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        if notes:
            blocks += [markdown.heading("Speaker notes", 2), markdown.paragraph(notes)]
    blocks += _comments(slide)
    counts = (("pictures", pictures - figures), ("charts", undrawn), ("objects", objects))
    warnings = [
        ParseWarning(f"{what}-not-read", f"{count} {what} on the slide were not read")
        for what, count in counts
        if count
    ]
    if slide._element.get("show") == "0":
        warnings.append(ParseWarning("hidden-slide", "the slide is hidden in the presentation"))
    return ParsedPage(
        tidy("\n\n".join(filter(None, blocks))), "pptx", warnings=(*warnings, *hidden.warnings), figures=figures
    )


def _is_unseen(shape: Any, size: tuple[int, int]) -> bool:
    """Whether a shape is switched off, or lies beside the slide."""
    if shape._element.xpath(".//p:cNvPr")[0].get("hidden") in ("1", "true"):
        return True
    if None in (shape.left, shape.top, shape.width, shape.height) or not all(size):
        return False
    across = shape.left + shape.width <= 0 or shape.left >= size[0]
    return bool(across or shape.top + shape.height <= 0 or shape.top >= size[1])


def _take_out(shape: Any, hidden: HiddenText) -> None:
    """Take out runs that are tiny, or of the colour with which their shape is filled."""
    for run in shape._element.iter(f"{_A}r"):
        properties, text = run.find(f"{_A}rPr"), run.find(f"{_A}t")
        if properties is None or text is None or not text.text:
            continue
        size = properties.get("sz", "")
        colour = _solid(properties)
        behind = _solid(shape._element.find(f"{_P}spPr"))
        same = colour is not None and behind is not None and alike(colour, behind)
        if same or (size.isascii() and size.isdigit() and int(size[:9]) < 100 * TINY_POINTS):
            text.text = hidden.instead_of(text.text)


def _solid(properties: Any) -> Colour | None:
    written = properties.find(f"{_A}solidFill/{_A}srgbClr") if properties is not None else None
    return hexadecimal(written.get("val", "")) if written is not None else None


def _flatten(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP and depth < _MAX_DEPTH:
            yield from _flatten(shape.shapes, depth + 1)
        else:
            yield shape


def _frame(frame: Any, *, bulleted: bool) -> str:
    lines = [(paragraph.level, paragraph.text) for paragraph in frame.paragraphs if paragraph.text.strip()]
    if bulleted and len(lines) > 1:
        return "\n".join(markdown.item(text, level) for level, text in lines)
    return "\n\n".join(markdown.paragraph(text.replace("\v", "\n")) for _, text in lines)


def _table(table: Any) -> str:
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    spans = [
        Span(number, column, cell.span_height, cell.span_width)
        for number, row in enumerate(table.rows)
        for column, cell in enumerate(row.cells)
        if cell.is_merge_origin
    ]
    return Grid(rows, spans).markdown()


def _comments(slide: Any) -> Iterator[str]:
    """Yield the slide's comments, of older and of threaded ones the words."""
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/comments") and not relation.is_external:
            tree = etree.fromstring(
                relation.target_part.blob, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            )
            for comment in tree.iter():
                name = comment.tag.rpartition("}")[2] if isinstance(comment.tag, str) else ""
                if name in ("text", "txBody"):
                    words = "".join(map(str, comment.itertext())) if name == "txBody" else comment.text or ""
                    yield markdown.paragraph(f"Comment: {markdown.one_line(words)}") if words.strip() else ""

"""What stands around the text of a Word document: headers and footers, comments, and what is named, not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from doc_processor.parsers.base import ParseWarning
from doc_processor.parsers.docx_text import qualified

_REFERENCES = {qualified("headerReference"): "Header", qualified("footerReference"): "Footer"}
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DELETED = (qualified("del"), qualified("moveFrom"))


def repeated(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield ("Header" or "Footer", its element), once for each that a section shows."""
    settings = document.settings.element
    even = settings.find(qualified("evenAndOddHeaders")) is not None
    seen = set()
    for section in document.element.body.iter(qualified("sectPr")):
        first = section.find(qualified("titlePg")) is not None
        for reference in section:
            kind, when = _REFERENCES.get(reference.tag), reference.get(qualified("type"))
            if kind is None or (when == "first" and not first) or (when == "even" and not even):
                continue
            relation = document.part.rels.get(reference.get(_ID))
            if relation is not None and relation.target_part.partname not in seen:
                seen.add(relation.target_part.partname)
                yield kind, _element(relation.target_part)


def comments(document: Any) -> dict[str, tuple[str, Any]]:
    """Map the ids of comments to (author, element)."""
    part = next(
        (each for each in document.part.package.iter_parts() if str(each.partname) == "/word/comments.xml"), None
    )
    if part is None:
        return {}
    found = _element(part).iter(qualified("comment"))
    return {each.get(qualified("id"), ""): (each.get(qualified("author"), ""), each) for each in found}


def not_read(body: Any) -> Iterator[ParseWarning]:
    """Name what is deleted, and what other programs made and only they can show."""
    counts = Counter(node.tag for node in body.iter(*_DELETED, qualified("object"), qualified("altChunk")))
    if deleted := sum(
        1 for node in body.iter(qualified("del")) if next(node.iter(qualified("delText")), None) is not None
    ):
        detail = f"{deleted} passages that are marked as deleted were left out"
        yield ParseWarning("deletions-left-out", detail)
    if objects := counts[qualified("object")] + counts[qualified("altChunk")]:
        yield ParseWarning("objects-not-read", f"{objects} embedded objects were not read")


def _element(part: Any) -> Any:
    from docx.oxml.parser import parse_xml

    return part.element if hasattr(part, "element") else parse_xml(part.blob)

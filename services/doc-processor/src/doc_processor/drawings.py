"""Text of what is drawn in office files: charts (ECMA-376 part 1, 21.2) by the values they keep, and SmartArt (21.4)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from doc_processor import markdown

_C, _A, _DGM = (f"{{http://schemas.openxmlformats.org/drawingml/2006/{name}}}" for name in ("chart", "main", "diagram"))
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MOST_POINTS = 2000


def drawn(element: Any, parts: Any) -> tuple[list[str], int]:
    """Return the text of the charts and the SmartArt in an element, and how many of them could not be read.

    `parts` maps relationship ids to what they stand for, as python-docx and python-pptx have them.
    """
    blocks: list[str] = []
    missing = 0
    for node in element.iter(f"{_C}chart", f"{_DGM}relIds"):
        is_chart = node.tag == f"{_C}chart"
        try:
            tree = _tree(parts[node.get(f"{_R}{'id' if is_chart else 'dm'}")].target_part.blob)
        except (KeyError, ValueError, AttributeError, etree.XMLSyntaxError):
            missing += 1
            continue
        text = _chart(tree) if is_chart else _smart_art(tree)
        blocks.append(text)
        missing += not text
    return [block for block in blocks if block], missing


def _tree(blob: bytes) -> Any:
    return etree.fromstring(blob, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _smart_art(tree: Any) -> str:
    texts = ("".join(node.text or "" for node in point.iter(f"{_A}t")) for point in tree.iter(f"{_DGM}pt"))
    return "\n".join(markdown.item(text, 0) for text in texts if text.strip())


def _chart(tree: Any) -> str:
    """Return a chart's title, and its categories and series as a table."""
    title = "".join(node.text or "" for node in tree.iterfind(f".//{_C}chart/{_C}title//{_A}t"))
    series = list(tree.iter(f"{_C}ser"))
    names = [_points(each, "tx") for each in series]
    categories = next((found for each in series if (found := _points(each, "cat") or _points(each, "xVal"))), {})
    values = [_points(each, "val") or _points(each, "yVal") for each in series]
    places = sorted({place for each in (categories, *values) for place in each})[:_MOST_POINTS]
    rows = [["", *(" ".join(name.values()) for name in names)]]
    rows += [[categories.get(place, ""), *(each.get(place, "") for each in values)] for place in places]
    table = markdown.table(rows) if places else ""
    return "\n\n".join(filter(None, [markdown.paragraph(title), table]))


def _points(series: Any, kind: str) -> dict[int, str]:
    """Map the places of a series' cached points to what they say."""
    points = {}
    for point in series.iterfind(f"{_C}{kind}//{_C}pt"):
        place, value = point.get("idx", ""), point.find(f"{_C}v")
        if place.isdigit() and value is not None and value.text:
            points[int(place[:9])] = _number(value.text)
    return points


def _number(text: str) -> str:
    try:
        return f"{float(text):.10g}"
    except ValueError:
        return text

"""What a Word paragraph is: a heading, a list item, or neither; direct formatting wins over its style."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from doc_processor.parsers.docx_text import qualified

_PPR, _STYLE, _OUTLINE, _NUMBERING = (qualified(tag) for tag in ("pPr", "pStyle", "outlineLvl", "numPr"))
_VAL, _ILVL, _NUM = qualified("val"), qualified("ilvl"), qualified("numId")
_HEADING_NAME = re.compile(r"heading (\d)$", re.I)
_MAX_CHAIN = 20


@dataclass(frozen=True, slots=True)
class ListItem:
    """Depth counts from 0; `number` is None for bullets."""

    depth: int
    number: int | None


class Styles:
    """Looks paragraphs up in a document's style and numbering parts, and keeps count of its numbered lists."""

    def __init__(self, document: Any) -> None:
        self._styles = {style.style_id: style.element for style in document.styles}
        self._formats = _number_formats(document)
        self._counters: dict[tuple[str, int], int] = {}

    def heading_level(self, paragraph: Any) -> int:
        """Return 1 to 6, or 0 for what is no heading."""
        for properties, style in self._chain(paragraph):
            outline = properties.find(_OUTLINE) if properties is not None else None
            if outline is not None and (value := _number(outline.get(_VAL))) is not None:
                return min(value + 1, 6) if value < 9 else 0
            name = _style_name(style)
            if match := _HEADING_NAME.match(name):
                return min(int(match.group(1)), 6)
            if name.lower() == "title":
                return 1
        return 0

    def list_item(self, paragraph: Any) -> ListItem | None:
        for properties, style in self._chain(paragraph):
            numbering = properties.find(_NUMBERING) if properties is not None else None
            if numbering is not None:
                return self._numbered(numbering, style)
            if match := re.match(r"list (bullet|number)(?: (\d))?$", _style_name(style), re.I):
                depth = int(match.group(2) or 1) - 1
                number = self._count("style", depth) if match.group(1).lower() == "number" else None
                return ListItem(depth, number)
        return None

    def _numbered(self, numbering: Any, style: Any) -> ListItem | None:
        level, number = numbering.find(_ILVL), numbering.find(_NUM)
        identity = number.get(_VAL) if number is not None else "0"
        if identity == "0":  # numbering switched off (17.9.18)
            return None
        depth = (_number(level.get(_VAL)) if level is not None else None) or 0
        if self._formats.get((identity, depth), "decimal") in ("bullet", "none"):
            return ListItem(depth, None)
        return ListItem(depth, self._count(identity, depth))

    def _count(self, identity: str, depth: int) -> int:
        for key in [key for key in self._counters if key[0] == identity and key[1] > depth]:
            del self._counters[key]
        self._counters[identity, depth] = self._counters.get((identity, depth), 0) + 1
        return self._counters[identity, depth]

    def _chain(self, paragraph: Any) -> list[tuple[Any, Any]]:
        """List (paragraph properties, style) from the paragraph itself to the root of its style."""
        properties = paragraph.find(_PPR)
        chain: list[tuple[Any, Any]] = [(properties, None)]
        reference = properties.find(_STYLE) if properties is not None else None
        identity = reference.get(_VAL) if reference is not None else None
        while identity in self._styles and len(chain) < _MAX_CHAIN:
            style = self._styles[identity]
            chain.append((style.find(_PPR), style))
            based_on = style.find(qualified("basedOn"))
            identity = based_on.get(_VAL) if based_on is not None else None
        return chain


def _style_name(style: Any) -> str:
    name = style.find(qualified("name")) if style is not None else None
    return str(name.get(_VAL) or "") if name is not None else ""


def _number_formats(document: Any) -> dict[tuple[str, int], str]:
    """Map (numbering, depth) to its format, such as `decimal` or `bullet`."""
    part = next((p for p in document.part.package.iter_parts() if str(p.partname) == "/word/numbering.xml"), None)
    if part is None:
        return {}
    root = part.element
    abstract: dict[str, dict[int, str]] = {}
    for definition in root.iter(qualified("abstractNum")):
        levels = {}
        for level in definition.iter(qualified("lvl")):
            kind = level.find(qualified("numFmt"))
            levels[_number(level.get(_ILVL)) or 0] = kind.get(_VAL) if kind is not None else "decimal"
        abstract[definition.get(qualified("abstractNumId"))] = levels
    formats = {}
    for instance in root.iter(_NUM.replace("numId", "num")):
        target = instance.find(qualified("abstractNumId"))
        for depth, kind in abstract.get(target.get(_VAL) if target is not None else "", {}).items():
            formats[instance.get(_NUM), depth] = kind
    return formats


def _number(value: str | None) -> int | None:
    try:
        return int(value) if value is not None else None
    except ValueError:
        return None

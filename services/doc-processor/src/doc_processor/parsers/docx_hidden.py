"""Which runs of a Word document nobody sees (ECMA-376 part 1, 17.3.2): marked as hidden, white on white, or tiny."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from doc_processor.hidden import TINY_POINTS, WHITE, HiddenText, alike, hexadecimal
from doc_processor.parsers.docx_text import qualified

_RPR, _VAL = qualified("rPr"), qualified("val")
_OFF = ("0", "false", "off")
_SHADING = (qualified("shd"), qualified("highlight"))
_CELL, _TABLE, _STYLED_TABLE = qualified("tc"), qualified("tbl"), f"{qualified('tblPr')}/{qualified('tblStyle')}"
_MAX_CHAIN = 20


@dataclass(slots=True)
class RunLooks:
    """Looks runs up in the document's styles; direct formatting wins over the run's style, and that over the paragraph's."""

    styles: dict[str, Any]
    hidden: HiddenText

    def hides(self, run: Any, paragraph: Any) -> bool:
        chain = list(self._properties(run, paragraph))
        vanish = _first(chain, "vanish")
        if vanish is not None and vanish.get(_VAL) not in _OFF:
            return True
        size = _first(chain, "sz")
        if size is not None and _half_points(size.get(_VAL)) < 2 * TINY_POINTS:
            return True
        colour = _first(chain, "color")
        written = hexadecimal(str(colour.get(_VAL))) if colour is not None else None
        return written is not None and alike(written, WHITE) and not _is_shaded(chain, paragraph)

    def _properties(self, run: Any, paragraph: Any) -> Iterator[Any]:
        direct = run.find(_RPR)
        if direct is not None:
            yield direct
            yield from self._styled(direct.find(qualified("rStyle")))
        yield from self._styled(paragraph.find(f"{qualified('pPr')}/{qualified('pStyle')}"))

    def _styled(self, reference: Any) -> Iterator[Any]:
        for _ in range(_MAX_CHAIN):
            style = self.styles.get(reference.get(_VAL)) if reference is not None else None
            if style is None:
                return
            if (properties := style.find(_RPR)) is not None:
                yield properties
            reference = style.find(qualified("basedOn"))


def _first(chain: list[Any], tag: str) -> Any:
    return next((found for properties in chain if (found := properties.find(qualified(tag))) is not None), None)


def _half_points(written: str | None) -> float:
    try:
        return float(written or "")
    except ValueError:
        return 24.0


def _is_shaded(chain: list[Any], paragraph: Any) -> bool:
    """Whether something else than white paper may lie behind the text."""
    if any(properties.find(tag) is not None for properties in chain for tag in _SHADING):
        return True
    around = paragraph.find(f"{qualified('pPr')}/{qualified('shd')}")
    if around is not None and around.get(qualified("fill")) not in (None, "auto", "FFFFFF"):
        return True
    for parent in paragraph.iterancestors(_CELL, _TABLE, qualified("txbxContent")):
        if parent.tag == qualified("txbxContent"):
            return True  # a drawn shape, of any colour
        fill = parent.find(f"{qualified(parent.tag.rpartition('}')[2] + 'Pr')}/{qualified('shd')}")
        if fill is not None and fill.get(qualified("fill")) not in (None, "auto", "FFFFFF"):
            return True
        if parent.tag == _TABLE and parent.find(_STYLED_TABLE) is not None:
            return True
    return False

"""The cells of a sheet as it shows them: by their number formats, and without those that nobody sees."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils.datetime import CALENDAR_MAC_1904, to_excel

from doc_processor.hidden import TINY_POINTS, WHITE, HiddenText, alike, hexadecimal
from doc_processor.number_formats import GENERAL, general, shown, shown_text, shows_nothing


@dataclass(frozen=True, slots=True)
class _Style:
    code: str
    hides: bool


@dataclass(slots=True)
class CellLooks:
    """Looks cells up in the workbook's styles, each style once."""

    workbook: Any
    hidden: HiddenText
    _styles: dict[int, _Style] = field(default_factory=dict)

    def text(self, cell: Any) -> str:
        value = cell.value
        if value is None:
            return ""
        style = self._style(cell)
        text = self._shown(value, style.code)
        return self.hidden.instead_of(text or str(value)) if style.hides else text

    def _style(self, cell: Any) -> _Style:
        number = getattr(cell, "_style_id", 0)
        if number not in self._styles:
            self._styles[number] = _Style(cell.number_format or GENERAL, _is_hidden(cell))
        return self._styles[number]

    def _shown(self, value: object, code: str) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int | float):
            return general(value) if code == GENERAL else shown(value, code, since_1904=self._since_1904)
        if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
            serial: float = to_excel(value, self.workbook.epoch)  # type: ignore[no-untyped-call]
            return shown(serial, code, since_1904=self._since_1904)
        return shown_text(str(value), code)

    @property
    def _since_1904(self) -> bool:
        return bool(self.workbook.epoch == CALENDAR_MAC_1904)


def _is_hidden(cell: Any) -> bool:
    on_paper = cell.fill is None or cell.fill.fill_type is None
    font = cell.font
    return shows_nothing(cell.number_format or "") or (_is_unseen(font) and (on_paper or _is_tiny(font)))


def _is_unseen(font: Any) -> bool:
    """Whether a font is white or tiny."""
    written = font.color.rgb if font is not None and font.color is not None and font.color.type == "rgb" else None
    colour = hexadecimal(written[-6:]) if isinstance(written, str) else None
    return (colour is not None and alike(colour, WHITE)) or _is_tiny(font)


def _is_tiny(font: Any) -> bool:
    return font is not None and font.sz is not None and font.sz < TINY_POINTS

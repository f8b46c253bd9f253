"""The text of one Word paragraph (ECMA-376 part 1, 17.3): what a reader of the final version sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doc_processor.parsers.docx_hidden import RunLooks

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def qualified(tag: str) -> str:
    return _W + tag


_TEXTS = {_W + "t", _M + "t"}
_SIGNS = {_W + "tab": "\t", _W + "cr": "\n", _W + "noBreakHyphen": "-", _W + "ptab": "\t"}
_SYMBOLS = {"F0FE": "☒", "F0FD": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0FB": "✗", "F0B7": "•", "F0E0": "→"}
"""Characters of symbol fonts that say something: boxes, ticks, bullets and arrows."""
_BOX = _W + "txbxContent"
# Deleted and moved-away text, what field codes say (not their result), and the copy of a drawing for old readers.
_SKIPPED = {
    _W + "del", _W + "moveFrom", _W + "instrText", _W + "delText", _W + "rPr", _W + "pPr",
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """Text, and how many page breaks follow it."""

    text: str
    breaks: int = 0


def paragraph_runs(paragraph: Any, looks: RunLooks) -> tuple[int, list[Run], list[Any]]:
    """Return page breaks before any text, the runs, and the text boxes anchored here."""
    runs: list[Run] = []
    boxes: list[Any] = []
    before = 0
    waiting = list(reversed(paragraph))
    while waiting:
        node = waiting.pop()
        if node.tag in _SKIPPED:
            continue
        if node.tag == _W + "r" and looks.hides(node, paragraph):
            runs.append(
                Run(looks.hidden.instead_of("".join(part.text or "" for tag in _TEXTS for part in node.iter(tag))))
            )
            continue
        if node.tag == _BOX:
            boxes.append(node)
        elif node.tag in _TEXTS:
            runs.append(Run(node.text or ""))
        elif node.tag == _W + "sym":
            runs.append(Run(_SYMBOLS.get(node.get(_W + "char", "").upper(), "")))
        elif node.tag in _SIGNS:
            runs.append(Run(_SIGNS[node.tag]))
        elif node.tag == _W + "lastRenderedPageBreak" or (node.tag == _W + "br" and node.get(_W + "type") == "page"):
            if any(run.text.strip() for run in runs):
                runs.append(Run("", breaks=1))
            else:
                before += 1
        elif node.tag == _W + "br":
            runs.append(Run("\n"))
        else:
            waiting += reversed(node)
    if paragraph.find(f"{_W}pPr/{_W}pageBreakBefore") is not None:
        before = max(before, 1)
    return before, runs, boxes

"""HTML put together so that nothing gets into it unescaped: only `Raw` passes as it is."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Raw(str):
    """Markup that was made here; never text from a model, a document or a server."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
_VOID = {"meta", "br"}


def tag(name: str, /, *children: Child, **attributes: str | None) -> Raw:
    """Return an element; `class_` is class, `data_x` is data-x, an attribute that is None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Raw(f"<{name}{given}>") if name in _VOID else Raw(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: Child) -> Raw:
    """Return children one after the other, escaped unless they are `Raw`."""
    return Raw("".join(map(_text, children)))


def table(head: Iterable[Child], rows: Iterable[Iterable[Child]]) -> Raw:
    """Return a table whose first column names the rows; it scrolls by itself where it is too wide."""
    body = (tag("tr", *(tag("td" if place else "th", cell) for place, cell in enumerate(row))) for row in rows)
    made = tag("table", tag("thead", tag("tr", *(tag("th", cell) for cell in head))), tag("tbody", *body))
    return tag("div", made, class_="scroll")


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Raw):
        return child
    if isinstance(child, str):
        # Control characters are no text in HTML.
        return escape("".join(c for c in child if c in "\t\n" or c.isprintable() or c.isspace()))
    return "".join(map(_text, child))

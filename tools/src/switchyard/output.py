"""What commands print, and what they ask."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape

from switchyard.client import StackError

console = Console()
# All that moves a cursor or changes a terminal; tabs and ends of lines stay.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))


def plain(text: str) -> str:
    """Return text that comes from documents or models without what a terminal would obey."""
    return text.translate(_CONTROLS)


def say(words: str) -> None:
    """Print a line as it is."""
    console.print(escape(plain(words)), highlight=False, soft_wrap=True)


def confirmed(question: str) -> bool:
    """Ask, and return whether the answer was yes; raises `StackError` without a terminal."""
    if not console.is_terminal:
        raise StackError("not a terminal: pass --yes")
    return typer.confirm(question)

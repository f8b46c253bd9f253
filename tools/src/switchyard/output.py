"""What commands print, and what they ask."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape

from switchyard.client import StackError

console = Console()


def say(words: str) -> None:
    """Print a line as it is."""
    console.print(escape(words), highlight=False, soft_wrap=True)


def confirmed(question: str) -> bool:
    """Ask, and return whether the answer was yes; raises `StackError` without a terminal."""
    if not console.is_terminal:
        raise StackError("not a terminal: pass --yes")
    return typer.confirm(question)

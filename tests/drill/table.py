"""What came of the drill."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that had to be shown."""

    what: str
    must: str
    measured: str
    held: bool


def show(console: Console, lines: list[Line]) -> bool:
    """Print the table, and return whether every line held."""
    table = Table("what", "must show", "measured", "", title="The drill", show_lines=True)
    for line in lines:
        table.add_row(line.what, line.must, line.measured, "[green]held[/green]" if line.held else "[red]MISSED[/red]")
    console.print(table)
    return all(line.held for line in lines)

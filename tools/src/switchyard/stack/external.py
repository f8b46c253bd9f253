"""Rows that are not in our volumes but in a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from switchyard.stack.stacks import Project

_NAMES = ("DATABASE_URL", "NOTES_DATABASE_URL")


def external_databases(project: Project) -> list[str]:
    """The settings that put rows elsewhere: as a file that NAME_FILE names, or as a plain variable."""
    return [name for name in _NAMES if project.settings.get(name) or _secret(project, name)]


def _secret(project: Project, name: str) -> bool:
    given = project.settings.get(f"{name}_FILE")
    try:
        return bool(given) and (project.docker.root / str(given)).stat().st_size > 0
    except OSError:
        return False


def external_words(names: Sequence[str]) -> Iterator[str]:
    """Say that this archive is not all there is."""
    for name in names:
        yield f"NOT in the archive: the rows that {name} keeps in PostgreSQL"
    if names:
        yield "  -> keep them beside it, from the same hour: docs/operations.md#backup has the commands"

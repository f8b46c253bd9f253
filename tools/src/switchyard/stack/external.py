"""Databases on a PostgreSQL server, which are not in the volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from switchyard.stack.stacks import Project

_NAMES = ("DATABASE_URL", "NOTES_DATABASE_URL")


def external_databases(project: Project) -> list[str]:
    """Return the settings that name a PostgreSQL server, as a variable or in the file that NAME_FILE names."""
    return [name for name in _NAMES if project.settings.get(name) or _secret(project, name)]


def _secret(project: Project, name: str) -> bool:
    path = project.settings.get(f"{name}_FILE")
    try:
        return bool(path) and (project.docker.root / str(path)).stat().st_size > 0
    except OSError:
        return False


def external_words(names: Sequence[str]) -> Iterator[str]:
    """Yield a warning that the archive is not complete."""
    for name in names:
        yield f"NOT in the archive: the rows that {name} keeps in PostgreSQL"
    if names:
        yield "  -> back them up at the same time: docs/operations.md#backup has the commands"

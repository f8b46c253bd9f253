"""Rows that are not in our volumes but in a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from switchyard.stack.stacks import Project

_NAMES = ("DATABASE_URL", "NOTES_DATABASE_URL")


def external_databases(project: Project) -> list[str]:
    """The settings that put rows elsewhere, in the folder `secrets` or among the variables."""
    return [name for name in _NAMES if project.settings.get(name) or _secret(project, name)]


def _secret(project: Project, name: str) -> bool:
    path = project.docker.root / "secrets" / name
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def external_words(names: Sequence[str]) -> Iterator[str]:
    """Say that this archive is not all there is."""
    for name in names:
        yield f"NOT in the archive: the rows that {name} keeps in PostgreSQL. Keep them beside it, from the same hour:"
        yield f'  pg_dump --format=custom --file=BACKUP.dump "$(cat secrets/{name})"'
        yield f'  and later: pg_restore --clean --if-exists --dbname "$(cat secrets/{name})" BACKUP.dump'

"""`restore`: puts an archive back into the volumes of a stack that is down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from switchyard.stack import archive
from switchyard.stack.errors import Stopped
from switchyard.stack.external import external_words
from switchyard.stack.helper import helper, image_of, volumes_of
from switchyard.stack.sizes import size
from switchyard.stack.stacks import Project

_MOUNTING = ("rag-service", "notes-service", "chroma")
"""Services that among them mount every volume of an archive."""
_UP = ("running", "paused", "restarting")
Say = Callable[[str], None]


def restore(project: Project, path: Path, force: bool, say: Say) -> None:
    """Put the archive at `path` into the volumes; raises `Stopped`, having touched nothing, if it can't be right."""
    manifest = _checked(path)
    say(f"{path}: made {manifest.get('made')}, {len(manifest['files'])} files, read through and right")
    found = project.containers()
    running = sorted(one.service for one in found if one.state in _UP)
    if running:
        raise Stopped(f"the stack runs ({', '.join(running)})", "make down, then restore again")
    volumes = _ready(project, manifest["volumes"])
    with helper(project, image_of(project, found), volumes, ("archive", "unpacking"), {}) as inside:
        there = inside.hear()
        held = {name: count for name, count in there["held"].items() if count}
        if held and not force:
            words = ", ".join(f"{name}: {count} files" for name, count in held.items())
            raise Stopped(
                f"the volumes hold data ({words}), which would be lost",
                f"make backup first; then: make restore FILE={path} FORCE=1",
            )
        needed = sum(entry["size"] for entry in manifest["files"].values())
        if there["free"] < needed:
            raise Stopped(f"the volumes' disk has {size(there['free'])} free; {size(needed)} are needed", "make room")
        inside.say("go")
        _send(path, inside)
        inside.hear()
        inside.end()
    say(f"restored {', '.join(volumes)}")
    for line in external_words(manifest.get("external_databases", ())):
        say(line)
    say("now start the stack again: make up, or the target that you used before")


def _checked(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as source:
            return archive.read(source, archive.Nowhere())
    except OSError as error:
        raise Stopped(f"{path} can't be read: {error.strerror or error}") from error
    except archive.Damaged as error:
        raise Stopped(f"{path} is damaged: {error}", "nothing was touched; use another backup") from error


def _send(path: Path, inside: Any) -> None:
    try:
        with path.open("rb") as source:
            for block in iter(lambda: source.read(1 << 20), b""):
                inside.stdin.write(block)
        inside.stdin.close()
    except BrokenPipeError as error:
        raise inside.failure() from error


def _ready(project: Project, wanted: list[str]) -> Mapping[str, str]:
    """The volumes, made by Compose if they are not there, so that they are its own."""
    volumes = volumes_of(project)
    if not set(wanted) <= set(volumes) or not image_of(project, project.containers()):
        compose, docker = project.compose, project.docker
        before = {one.id for one in project.containers()}
        if docker.show(*compose("up", "--no-start", "--no-deps", "--no-recreate", *_MOUNTING)):
            raise Stopped("Compose could not make the volumes", "see above")
        for one in project.containers():
            if one.id not in before:
                docker.out("rm", one.id)
        volumes = volumes_of(project)
    missing = sorted(set(wanted) - set(volumes))
    if missing:
        raise Stopped(f"the compose files have no volume {', '.join(missing)}", "is this archive of this project?")
    return {name: volumes[name] for name in wanted}

"""`restore`: puts an archive back into the volumes of a stack that is down."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service_kit.volumes import archive
from switchyard.services import VOLUMES, WRITERS
from switchyard.stack.backup import external_words
from switchyard.stack.errors import Stopped
from switchyard.stack.helper import Helper, helper, image_of, volumes_of
from switchyard.stack.stacks import Project
from switchyard.stack.text import say, size

_UP = ("running", "paused", "restarting")


def restore(project: Project, path: Path, force: bool) -> None:
    """Put the archive at `path` into the volumes; raises `Stopped` with nothing changed if it is not valid."""
    manifest = _verified(path)
    say(f"{path}: made {manifest.get('made')}, {len(manifest['files'])} files, verified")
    containers = project.containers()
    running = sorted(container.service for container in containers if container.state in _UP)
    if running:
        raise Stopped(f"the stack runs ({', '.join(running)})", "make down, then restore again")
    volumes = _volumes(project, manifest["volumes"])
    with helper(project, image_of(project, containers), volumes, "restore", {}) as container:
        current = container.receive()
        files = {name: count for name, count in current["files"].items() if count}
        if files and not force:
            words = ", ".join(f"{name}: {count} files" for name, count in files.items())
            raise Stopped(
                f"the volumes hold data ({words}), which would be lost",
                f"make backup first; then: make restore FILE={path} FORCE=1",
            )
        needed = sum(entry["size"] for entry in manifest["files"].values())
        if current["free"] < needed:
            raise Stopped(f"the volumes' disk has {size(current['free'])} free; {size(needed)} are needed", "make room")
        container.send("go")
        _send(path, container)
        container.receive()
        container.end()
    say(f"restored {', '.join(volumes)}")
    for line in external_words(manifest.get("external_databases", ())):
        say(line)
    say("now start the stack again: make up, or the target that you used")


def _verified(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as source:
            return archive.read(source, archive.VerifyOnly(), VOLUMES)
    except OSError as error:
        raise Stopped(f"{path} can't be read: {error.strerror or error}") from error
    except archive.Damaged as error:
        raise Stopped(f"{path} is damaged: {error}", "nothing was changed; use another backup") from error


def _send(path: Path, container: Helper) -> None:
    try:
        with path.open("rb") as source:
            shutil.copyfileobj(source, container.stdin, 1 << 20)
        container.stdin.close()
    except BrokenPipeError as error:
        raise container.failure() from error


def _volumes(project: Project, names: list[str]) -> Mapping[str, str]:
    """Return the real names of the volumes; Compose creates those that are missing, so that they belong to it."""
    volumes = volumes_of(project)
    if not set(names) <= set(volumes) or not image_of(project, project.containers()):
        before = {container.id for container in project.containers()}
        if project.show("up", "--no-start", "--no-deps", "--no-recreate", *WRITERS):
            raise Stopped("Compose could not create the volumes", "see above")
        for container in project.containers():
            if container.id not in before:
                project.docker.out("rm", container.id)
        volumes = volumes_of(project)
    missing = sorted(set(names) - set(volumes))
    if missing:
        raise Stopped(f"the compose files have no volume {', '.join(missing)}", "is this archive of this project?")
    return {name: volumes[name] for name in names}

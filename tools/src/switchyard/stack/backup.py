"""`backup`: one archive of everything that can't be recreated, while the stack runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from service_kit.volumes import archive
from service_kit.volumes.snapshot import is_original
from switchyard.services import VOLUMES, WRITERS
from switchyard.stack.docker import Docker
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.helper import Helper, helper, image_of, volumes_of
from switchyard.stack.stacks import Project
from switchyard.stack.text import say, size

_PREFIX, _SUFFIX = "switchyard-", ".tar.gz"
_SPARE = 1.05
_WRITTEN_AT_START = ("keys", "rag", "notes", "chroma")
_DATABASES = ("DATABASE_URL", "NOTES_DATABASE_URL", "GRAPH_DATABASE_URL")


def backup(project: Project, folder: Path) -> None:
    """Write an archive into `folder` and verify it."""
    containers = project.containers()
    volumes = {name: real for name, real in volumes_of(project).items() if name in VOLUMES}
    if not volumes:
        raise Stopped(f"the project {project.name} has no volumes: there is nothing to back up", "was it ever started?")
    image = image_of(project, containers)
    if not image:
        raise Stopped("rag-service's image is not built", "docker compose build rag-service")
    writers = [container for container in containers if container.service in WRITERS and container.running]
    databases = _external_databases(project)
    about = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "project": project.name,
        "images": {container.service: container.image for container in containers},
        "external_databases": databases,
    }
    with helper(project, image, volumes, "snapshot", {"about": about}) as container:
        sizes = container.receive()
        _require_space(sizes, folder)
        container.send("prepare")
        container.receive()
        began = time.monotonic()
        with _paused(project.docker, [writer.id for writer in writers]):
            container.send("take")
            snapshot = container.receive()
        if writers:
            say(f"{', '.join(writer.service for writer in writers)} paused for {time.monotonic() - began:.2f} s")
        else:
            say("no service was running")
        path, manifest = _receive(container, folder)
    for line in *_summary(path, manifest, snapshot["left_out"]), *external_words(databases):
        say(line)
    if empty := _never_written(manifest, databases):
        raise Stopped(
            f"this is NOT a backup of a stack that has run: {', '.join(empty)} held nothing yet, as the stack is half started",
            f"make status says what is missing; then make backup again, and delete {path.name}",
        )


def _never_written(manifest: Mapping[str, Any], databases: Sequence[str]) -> list[str]:
    """Return the volumes without files that a stack writes to as soon as it has started."""
    elsewhere = {"rag": "DATABASE_URL" in databases, "notes": "NOTES_DATABASE_URL" in databases}
    written = {name.split("/")[0] for name in manifest["files"]}
    return [name for name in _WRITTEN_AT_START if name not in written and not elsewhere.get(name)]


@contextmanager
def _paused(docker: Docker, ids: Sequence[str]) -> Iterator[None]:
    """Pause containers during the block and unpause them in any case.

    A separate process unpauses them, when the block ends or when this process ends: a killed backup leaves none paused.
    """
    if not ids:
        yield
        return
    guard = docker.guard("unpause", *ids)
    try:
        docker.out("pause", *ids)
        yield
    finally:
        _unpause(docker, guard, ids)


def _unpause(docker: Docker, guard: subprocess.Popen[bytes], ids: Sequence[str]) -> None:
    guard.communicate()
    if guard.returncode == 0:
        return
    # It fails as well if one of them was never paused, because pausing failed.
    states = docker.out("inspect", "--format", "{{.Id}} {{.State.Status}}", *ids).splitlines()
    for container in [line.split()[0] for line in states if line.endswith(" paused")]:
        with suppress(DockerFailed):
            docker.out("unpause", container)
            continue
        raise Stopped(f"{container[:12]} could not be unpaused", f"docker unpause {container[:12]}")


def _require_space(sizes: Mapping[str, int], folder: Path) -> None:
    if sizes["free"] < sizes["copied"] * _SPARE:
        raise Stopped(
            f"the volumes' disk has {size(sizes['free'])} free; the snapshot takes {size(sizes['copied'])}",
            "make room where the engine keeps its volumes (docker info: Docker Root Dir)",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(folder).free
    if free < sizes["total"] * _SPARE:
        raise Stopped(
            f"{folder} has {size(free)} free; the archive may take {size(sizes['total'])}",
            "make room, or choose another folder: make backup FOLDER=PATH",
        )


def _receive(container: Helper, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write what the container sends to a new file, which gets its name once it is complete, on disk and verified."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}.partial"):
        leftover.unlink()
    final = folder / f"{_PREFIX}{time.strftime('%Y%m%d-%H%M%S')}{_SUFFIX}"
    with _partial(final) as (partial, target):
        container.send("send")
        shutil.copyfileobj(container.stdout, target, 1 << 20)
        container.end()
        target.flush()
        os.fsync(target.fileno())
        try:
            with partial.open("rb") as source:
                manifest = archive.read(source, archive.VerifyOnly(), VOLUMES)
        except archive.Damaged as error:
            raise Stopped(f"the archive was not written correctly: {error}", "check the disk and try again") from error
        partial.replace(final)
    _sync(folder)
    return final, manifest


@contextmanager
def _partial(final: Path) -> Iterator[tuple[Path, BinaryIO]]:
    partial = final.with_name(final.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield partial, target
    finally:
        partial.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _summary(path: Path, manifest: Mapping[str, Any], left_out: list[str]) -> Iterator[str]:
    files: Mapping[str, Mapping[str, Any]] = manifest["files"]
    for volume in manifest["volumes"]:
        sizes = [entry["size"] for name, entry in files.items() if name.startswith(f"{volume}/")]
        yield f"  {volume}: {len(sizes)} files, {size(sum(sizes))}"
    for name in left_out:
        yield f"  left out, because it is neither file nor folder: {name}"
    for name, entry in files.items():
        if is_original(Path(name)) and Path(name).name != entry["sha256"]:
            yield f"  WARNING: the original {name} has changed: the disk has damaged it"
    yield f"{path}: {size(path.stat().st_size)}, verified"


def _external_databases(project: Project) -> list[str]:
    """Return the settings that name a PostgreSQL server, as a variable or in the file that NAME_FILE names."""
    return [name for name in _DATABASES if project.settings.get(name) or _secret(project, name)]


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

"""`backup`: one archive of everything that can't be recreated, while the stack runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from service_kit.volumes import archive
from service_kit.volumes.snapshot import is_original
from switchyard.services import VOLUMES, WRITERS
from switchyard.stack.errors import Stopped
from switchyard.stack.external import external_databases, external_words
from switchyard.stack.helper import Helper, helper, image_of, volumes_of
from switchyard.stack.pause import paused
from switchyard.stack.stacks import Project
from switchyard.stack.text import size

_PREFIX, _SUFFIX = "switchyard-", ".tar.gz"
_SPARE = 1.05
Say = Callable[[str], None]


def backup(project: Project, folder: Path, say: Say) -> Path:
    """Write an archive into `folder`, verify it, and return its path; what is done is reported to `say`."""
    containers = project.containers()
    volumes = {name: real for name, real in volumes_of(project).items() if name in VOLUMES}
    if not volumes:
        raise Stopped(f"the project {project.name} has no volumes: there is nothing to back up", "was it ever started?")
    image = image_of(project, containers)
    if not image:
        raise Stopped("rag-service's image is not built", "docker compose build rag-service")
    writers = [container for container in containers if container.service in WRITERS and container.running]
    databases = external_databases(project)
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
        with paused(project.docker, writers) as pause:
            container.send("take")
            snapshot = container.receive()
        if writers:
            say(f"{', '.join(container.service for container in writers)} paused for {pause.seconds:.2f} s")
        else:
            say("no service was running")
        path, manifest = _receive(container, folder)
    for line in _summary(path, manifest, snapshot["left_out"]):
        say(line)
    for line in external_words(databases):
        say(line)
    return path


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
        if partial.exists():
            partial.unlink()


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

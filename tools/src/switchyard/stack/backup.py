"""`backup`: one archive of everything that can't be made again, while the stack runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from switchyard.stack import archive, snapshot
from switchyard.stack.errors import Stopped
from switchyard.stack.external import external_databases, external_words
from switchyard.stack.freezing import frozen
from switchyard.stack.helper import Helper, helper, image_of, volumes_of
from switchyard.stack.sizes import size
from switchyard.stack.stacks import Project

_WRITERS = ("rag-service", "notes-service", "chroma")
_PREFIX, _SUFFIX = "switchyard-", ".tar.gz"
_SPARE = 1.05
Say = Callable[[str], None]


def backup(project: Project, folder: Path, say: Say) -> Path:
    """Write an archive into `folder`, read it back, and return its path; `say` is told what is done."""
    found = project.containers()
    volumes = {ours: real for ours, real in volumes_of(project).items() if ours in archive.VOLUMES}
    if not volumes:
        raise Stopped(f"the project {project.name} has no volumes: there is nothing to back up", "was it ever started?")
    image = image_of(project, found)
    if not image:
        raise Stopped("rag-service's image is not there", "docker compose build rag-service")
    writers = [one for one in found if one.service in _WRITERS and one.running]
    databases = external_databases(project)
    about = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "project": project.name,
        "images": {one.service: one.image for one in found},
        "external_databases": databases,
    }
    with helper(project, image, volumes, ("archive", "snapshot"), {"about": about}) as inside:
        sizes = inside.hear()
        _require_space(sizes, folder)
        inside.say("prepare")
        inside.hear()
        with frozen(project.docker, writers) as freeze:
            inside.say("take")
            taken = inside.hear()
        if writers:
            say(f"{', '.join(one.service for one in writers)} stood still for {freeze.seconds:.2f} s")
        else:
            say("no service was running")
        path, manifest = _received(inside, folder)
    for line in _summary(path, manifest, taken["left_out"]):
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
    if free < sizes["whole"] * _SPARE:
        raise Stopped(
            f"{folder} has {size(free)} free; the archive may take {size(sizes['whole'])}",
            "make room, or choose another place: make backup FOLDER=PLACE",
        )


def _received(inside: Helper, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write what `inside` sends to a new file; it gets its name when it is whole, on disk, and was read back."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}.partial"):
        leftover.unlink()
    final = folder / f"{_PREFIX}{time.strftime('%Y%m%d-%H%M%S')}{_SUFFIX}"
    with _partial(final) as (partial, target):
        inside.say("send")
        shutil.copyfileobj(inside.stdout, target, 1 << 20)
        inside.end()
        target.flush()
        os.fsync(target.fileno())
        try:
            with partial.open("rb") as source:
                manifest = archive.read(source, archive.Nowhere())
        except archive.Damaged as error:
            raise Stopped(f"the archive was not written well: {error}", "is the disk sound? try again") from error
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
        inside = [entry["size"] for name, entry in files.items() if name.startswith(f"{volume}/")]
        yield f"  {volume}: {len(inside)} files, {size(sum(inside))}"
    for name in left_out:
        yield f"  left out, because it is neither file nor folder: {name}"
    for name, entry in files.items():
        if snapshot.immutable(Path(name)) and Path(name).name != entry["sha256"]:
            yield f"  WARNING: the original {name} is no longer what it was: the disk has damaged it"
    yield f"{path}: {size(path.stat().st_size)}, read back and right"

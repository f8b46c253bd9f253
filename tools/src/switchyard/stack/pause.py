"""Containers that are paused for a moment."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from switchyard.stack.containers import Container
from switchyard.stack.docker import Docker
from switchyard.stack.errors import DockerFailed, Stopped


class Pause:
    """How long it lasted, in `seconds`, once it is over."""

    def __init__(self) -> None:
        self.seconds = 0.0


@contextmanager
def paused(docker: Docker, containers: Sequence[Container]) -> Iterator[Pause]:
    """Pause `containers` during the block and unpause them in any case.

    A separate process unpauses them, when the block ends or when this process ends: a killed backup leaves none paused.
    """
    pause = Pause()
    ids = [container.id for container in containers]
    if not ids:
        yield pause
        return
    guard = docker.guard(["unpause", *ids])
    began = time.monotonic()
    try:
        docker.out("pause", *ids)
        yield pause
    finally:
        _unpause(docker, guard, ids)
        pause.seconds = time.monotonic() - began


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

"""Containers that stand still for a moment."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from switchyard.stack.containers import Container
from switchyard.stack.docker import Docker
from switchyard.stack.errors import DockerFailed, Stopped


class Freeze:
    """`seconds` it has lasted, once it is over."""

    def __init__(self) -> None:
        self.seconds = 0.0


@contextmanager
def frozen(docker: Docker, containers: Sequence[Container]) -> Iterator[Freeze]:
    """Pause `containers`, and let them go on at the end, whatever that is.

    It is a process of its own that lets them go on, when we say so or when we are no more: a killed backup leaves none
    of them frozen.
    """
    freeze = Freeze()
    ids = [one.id for one in containers]
    if not ids:
        yield freeze
        return
    guard = docker.guard(["unpause", *ids])
    began = time.monotonic()
    try:
        docker.out("pause", *ids)
        yield freeze
    finally:
        _let_go(docker, guard, ids)
        freeze.seconds = time.monotonic() - began


def _let_go(docker: Docker, guard: subprocess.Popen[bytes], ids: Sequence[str]) -> None:
    guard.communicate()
    if guard.returncode == 0:
        return
    # It says so as well where one was not paused, because pausing failed.
    states = docker.out("inspect", "--format", "{{.Id}} {{.State.Status}}", *ids).splitlines()
    for identity in [line.split()[0] for line in states if line.endswith(" paused")]:
        with suppress(DockerFailed):
            docker.out("unpause", identity)
            continue
        raise Stopped(f"{identity[:12]} could not be unpaused", f"docker unpause {identity[:12]}")

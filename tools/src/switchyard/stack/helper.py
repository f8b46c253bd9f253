"""A container of ours with the project's volumes in it and nothing else: no network, no other way to write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from switchyard.stack import carried
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.stacks import Project

ROOT = "/volumes"
_SERVICE = "rag-service"
_STOP_SECONDS = 60
# Root reads and gives away the files of every service's user; it needs no more than that.
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


class Helper:
    """The running container: answers in lines of JSON to words on its stdin."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.stdin, self.stdout, self._stderr = (
            _there(pipe) for pipe in (process.stdin, process.stdout, process.stderr)
        )

    def say(self, word: str) -> None:
        try:
            self.stdin.write(word.encode() + b"\n")
            self.stdin.flush()
        except BrokenPipeError as error:
            raise self.failure() from error

    def hear(self) -> dict[str, Any]:
        """Return its next answer; raises `Stopped` with its last words if it has ended instead."""
        line = self.stdout.readline()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise self.failure() from error
        return answer

    def end(self) -> None:
        """Wait for its end; raises `Stopped` if that is a failure."""
        with suppress(OSError):
            self.stdin.close()
        if self._process.wait():
            raise self.failure()

    def failure(self) -> Stopped:
        """Return what ended it, in its own last words."""
        for pipe in (self.stdin, self.stdout):
            with suppress(OSError):
                pipe.close()
        stderr = self._stderr.read().decode(errors="replace").strip()
        self._process.wait()
        if "is already in use by container" in stderr:
            return Stopped("another backup or restore is running", "wait for its end")
        return Stopped(f"the helper container failed: {stderr.splitlines()[-1] if stderr else 'it said nothing'}")

    def close(self, stop: Callable[[], object]) -> None:
        """End it, asked to by `stop` if it still runs: it then clears up behind itself."""
        with suppress(OSError):
            self.stdin.close()
        if self._process.poll() is None:
            with suppress(DockerFailed):
                stop()
        for pipe in (self.stdout, self._stderr):
            pipe.close()
        self._process.wait()


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # all three were asked for
    return pipe


@contextmanager
def helper(
    project: Project, image: str, volumes: Mapping[str, str], modules: Sequence[str], given: Mapping[str, Any]
) -> Iterator[Helper]:
    """Start it with `volumes` (ours to the engine's name) and `modules` of this package; it is gone at the end.

    Its name is the lock that keeps two backups apart.
    """
    name = f"{project.name}-backup"
    mounts = [word for ours, real in volumes.items() for word in ("-v", f"{real}:{ROOT}/{ours}:nocopy")]
    told = json.dumps({"root": ROOT, "volumes": list(volumes), **given})
    args = [
        *("run", "--rm", "--interactive", "--name", name),
        *("--log-driver", "none"),  # or the engine would keep a second archive as a log
        *("--network", "none", "--read-only", "--user", "0:0", "--security-opt", "no-new-privileges"),
        *("--cap-drop", "ALL", *(word for capability in _CAPABILITIES for word in ("--cap-add", capability))),
        *("--entrypoint", "python3", *mounts, image),
        *carried.command(modules, [told])[1:],
    ]
    started = Helper(project.docker.pipe(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    try:
        yield started
    finally:
        stop = ("stop", "-t", str(_STOP_SECONDS), name)
        started.close(lambda: project.docker.out(*stop, seconds=2 * _STOP_SECONDS))


def image_of(project: Project, found: Sequence[Container]) -> str:
    """The image to run the helper from, rag-service's: of its container, or as Compose names it; "" if not built."""
    container = find(found, _SERVICE)
    if container is not None:
        return container.image
    config = json.loads(project.docker.out(*project.compose("config", "--format", "json")))
    service = config.get("services", {}).get(_SERVICE)
    if service is None:
        raise Stopped(f"the compose files have no {_SERVICE}", "is COMPOSE_FILE right?")
    name = service.get("image") or f"{project.name}-{_SERVICE}"
    try:
        return project.docker.out("image", "inspect", "--format", "{{.Id}}", name).strip()
    except DockerFailed:
        return ""


def volumes_of(project: Project) -> dict[str, str]:
    """The project's volumes that the engine has: as the compose file calls them, to their real names."""
    docker, label = project.docker, f"label=com.docker.compose.project={project.name}"
    names = docker.out("volume", "ls", "--quiet", "--filter", label).split()
    rows = json.loads(docker.out("volume", "inspect", *names)) if names else []
    return {row["Labels"]["com.docker.compose.volume"]: row["Name"] for row in rows}

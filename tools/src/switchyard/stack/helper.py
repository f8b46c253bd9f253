"""The helper container: rag-service's image with the project's volumes and nothing else, no network and no other volume."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.stacks import Project

ROOT = "/volumes"
_SERVICE = "rag-service"
_STOP_SECONDS = 60
# Root reads the files of every service's user and sets their owners; no other right is needed.
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


class Helper:
    """The running container: answers each line on its stdin with a line of JSON."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process, self.stdin, self.stdout, self._stderr = process, process.stdin, process.stdout, process.stderr

    def send(self, line: str) -> None:
        try:
            self.stdin.write(line.encode() + b"\n")
            self.stdin.flush()
        except BrokenPipeError as error:
            raise self.failure() from error

    def receive(self) -> dict[str, Any]:
        """Return its next answer; raises `Stopped` with its last output if it has ended."""
        try:
            answer: dict[str, Any] = json.loads(self.stdout.readline())
        except ValueError as error:
            raise self.failure() from error
        return answer

    def end(self) -> None:
        """Wait for its end; raises `Stopped` if it failed."""
        with suppress(OSError):
            self.stdin.close()
        if self._process.wait():
            raise self.failure()

    def failure(self) -> Stopped:
        """Return why it ended, from its last output."""
        for pipe in (self.stdin, self.stdout):
            with suppress(OSError):
                pipe.close()
        stderr = self._stderr.read().decode(errors="replace").strip()
        self._process.wait()
        if "is already in use by container" in stderr:
            return Stopped("another backup or restore is running", "wait for its end")
        if "No module named" in stderr and "service_kit" in stderr:
            return Stopped(f"{_SERVICE}'s image is older than this checkout", f"docker compose build {_SERVICE}")
        return Stopped(f"the helper container failed: {stderr.splitlines()[-1] if stderr else 'without a message'}")

    def close(self, stop: Callable[[], object]) -> None:
        """End it, by `stop` if it still runs, so that it removes its temporary files."""
        with suppress(OSError):
            self.stdin.close()
        if self._process.poll() is None:
            with suppress(DockerFailed):
                stop()
        for pipe in (self.stdout, self._stderr):
            pipe.close()
        self._process.wait()


@contextmanager
def helper(
    project: Project, image: str, volumes: Mapping[str, str], command: str, settings: Mapping[str, Any]
) -> Iterator[Helper]:
    """Run a `command` of `service_kit.volumes` on `volumes` (name in the compose file to real name) during the block.

    The container's name is the lock that keeps two backups apart.
    """
    name = f"{project.name}-backup"
    mounts = [word for volume, real in volumes.items() for word in ("-v", f"{real}:{ROOT}/{volume}:nocopy")]
    args = [
        *("run", "--rm", "--interactive", "--name", name),
        *("--log-driver", "none"),  # or the engine would store the archive once more, as a log
        *("--network", "none", "--read-only", "--user", "0:0", "--security-opt", "no-new-privileges"),
        *("--cap-drop", "ALL", *(word for capability in _CAPABILITIES for word in ("--cap-add", capability))),
        *("--entrypoint", "python", *mounts, image, "-m", "service_kit.volumes", command),
        json.dumps({"root": ROOT, "volumes": list(volumes), **settings}),
    ]
    started = Helper(project.docker.pipe(*args))
    try:
        yield started
    finally:
        stop = ("stop", "-t", str(_STOP_SECONDS), name)
        started.close(lambda: project.docker.out(*stop, seconds=2 * _STOP_SECONDS))


def image_of(project: Project, containers: Sequence[Container]) -> str:
    """Return rag-service's image, of its container or as Compose names it; "" if it is not built."""
    container = find(containers, _SERVICE)
    if container is not None:
        return container.image
    service = project.config().get("services", {}).get(_SERVICE)
    if service is None:
        raise Stopped(f"the compose files have no {_SERVICE}", "is COMPOSE_FILE right?")
    name = service.get("image") or f"{project.name}-{_SERVICE}"
    try:
        return project.docker.out("image", "inspect", "--format", "{{.Id}}", name).strip()
    except DockerFailed:
        return ""


def volumes_of(project: Project) -> dict[str, str]:
    """Return the project's volumes that exist: their names in the compose file, and their real names."""
    docker, label = project.docker, f"label=com.docker.compose.project={project.name}"
    names = docker.out("volume", "ls", "--quiet", "--filter", label).split()
    rows = json.loads(docker.out("volume", "inspect", *names)) if names else []
    return {row["Labels"]["com.docker.compose.volume"]: row["Name"] for row in rows}

"""`cli` and `key`: the switchyard command on the stack that runs in Docker, and its first admin key."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchyard.installation import FIRST_KEY, FOLDERS, first_key, running
from switchyard.stack import stacks
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.faults import state_words, todo_for
from switchyard.stack.stacks import Project

GATEWAY_PORT = 8080


def run(root: Path, environment: Mapping[str, str], command: Sequence[str]) -> int:
    """Run `command`, the program first, and return its exit status.

    Address and key of the running stack are added to its environment unless they are set; without a stack in Docker
    nothing is added. Raises `Stopped` if the program does not exist or the stack has no first key.
    """
    if not command:
        raise Stopped("name a program: cli .venv/bin/switchyard ARGS…")
    try:
        return subprocess.call(command, cwd=root, env={**_stack(root, environment), **environment})
    except FileNotFoundError as error:
        raise Stopped(f"{command[0]} does not exist", "make setup installs the switchyard command") from error


def _stack(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    # Without Docker or a stack in it, the command is for the all-in-one process, whose key is in its data folder.
    try:
        project = stacks.current(root, environment)
        containers = project.containers()
    except (Stopped, OSError):
        return {}
    gateway = find(containers, "gateway")
    url = gateway.url(GATEWAY_PORT) if gateway else None
    if not url:
        if not any(container.running for container in containers) or environment.get("SWITCHYARD_URL"):
            return {}
        state = state_words(gateway) if gateway else "has no container"
        raise Stopped(f"the stack is reached through its gateway, which {state}", todo_for(gateway))
    if environment.get("SWITCHYARD_API_KEY"):
        return {"SWITCHYARD_URL": url}
    return {"SWITCHYARD_URL": url, "SWITCHYARD_API_KEY": key_in_docker(project)}


def keys(root: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Create, list and revoke keys in rag-service's container; raises `Stopped` if it does not run."""
    project = stacks.current(root, environment)
    service = _rag_service(project)
    command = ("exec", "-i", service.id, *"python -m service_kit.manage_keys".split(), *arguments)
    return project.docker.show(*command)


def key(root: Path, environment: Mapping[str, str], folders: Sequence[Path] = ()) -> str:
    """Return the first admin key: of the stack in Docker if it runs, else of an installation without Docker.

    `folders` are data folders to look at instead, and nothing in Docker. Raises `Stopped` if there is none.
    """
    if found := _without_docker(folders):
        return found
    if folders:
        words = " or ".join(str(folder / FIRST_KEY) for folder in folders)
        raise Stopped(f"{words} does not exist", "the first start makes it: make up-embedded, or make demo")
    try:
        return key_in_docker(stacks.current(root, environment))
    except Stopped:
        if found := _without_docker([root / folder for folder in FOLDERS]):
            return found
        raise


def _without_docker(folders: Sequence[Path]) -> str:
    """Return the key of the process that runs on one of `folders`, else of the first that has one; "" if none has."""
    now = running(folders)
    return next(filter(None, map(first_key, [now.folder, *folders] if now else folders)), "")


def key_in_docker(project: Project) -> str:
    """Return the key that the first start made; raises `Stopped` if there is none, or if rag-service is not running."""
    service = _rag_service(project)
    try:
        key = project.docker.out("exec", service.id, "cat", f"/data/{FIRST_KEY}").strip()
    except DockerFailed as error:
        if "No such file" not in error.stderr:
            raise
        raise Stopped(
            "there is no first key: either ADMIN_API_KEY_FILE in .env names a key of your own, or the first key was revoked",
            "use that key; if it is lost, name a new one by ADMIN_API_KEY_FILE (secrets/README.md) and start again",
        ) from error
    if not key:
        raise Stopped(f"/data/{FIRST_KEY} is empty", "give a key of your own: ADMIN_API_KEY_FILE (secrets/README.md)")
    return key


def _rag_service(project: Project) -> Container:
    """Return the container that holds the keys; raises `Stopped` if it does not run."""
    service = find(project.containers(), "rag-service")
    if service is None or not service.running:
        state = f"is {service.state}" if service else "does not exist"
        raise Stopped(
            f"the keys are in rag-service's volume, and its container {state}",
            "start the stack first: make up. Without Docker: make demo, make up-embedded; .venv/bin/switchyard keys -h",
        )
    return service

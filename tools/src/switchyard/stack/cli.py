"""`cli` and `key`: the switchyard command on the stack that runs in Docker, and its first admin key."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchyard.stack import stacks
from switchyard.stack.containers import find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.stacks import Project

FIRST_KEY = "/data/auth/first-key"


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
        gateway = find(project.containers(), "gateway")
    except (Stopped, OSError):
        return {}
    url = gateway.url(8080) if gateway else None
    if not url:
        return {}
    if environment.get("SWITCHYARD_API_KEY"):
        return {"SWITCHYARD_URL": url}
    return {"SWITCHYARD_URL": url, "SWITCHYARD_API_KEY": first_key(project)}


def first_key(project: Project) -> str:
    """Return the key that the first start made; raises `Stopped` if there is none, or if rag-service is not running."""
    service = find(project.containers(), "rag-service")
    if service is None or not service.running:
        state = f"is {service.state}" if service else "does not exist"
        raise Stopped(
            f"the key is in rag-service's volume, and its container {state}", "start the stack first: make up"
        )
    try:
        key = project.docker.out("exec", service.id, "cat", FIRST_KEY).strip()
    except DockerFailed as error:
        if "No such file" not in error.stderr:
            raise
        raise Stopped(
            "there is no first key: either ADMIN_API_KEY_FILE in .env names a key of your own, or the first key was revoked",
            "use that key; if it is lost, name a new one by ADMIN_API_KEY_FILE (secrets/README.md) and start again",
        ) from error
    if not key:
        raise Stopped(f"{FIRST_KEY} is empty", "give a key of your own: ADMIN_API_KEY_FILE (secrets/README.md)")
    return key

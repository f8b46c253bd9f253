"""`cli`: the switchyard command on the stack that runs in Docker."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchyard.stack import stacks
from switchyard.stack.containers import find
from switchyard.stack.errors import Stopped
from switchyard.stack.key import first_key
from switchyard.stack.stacks import Project
from switchyard.stack.state import LOCAL


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
        url = _url(project)
    except (Stopped, OSError):
        return {}
    if environment.get("SWITCHYARD_API_KEY"):
        return {"SWITCHYARD_URL": url}
    return {"SWITCHYARD_URL": url, "SWITCHYARD_API_KEY": first_key(project)}


def _url(project: Project) -> str:
    gateway = find(project.containers(), "gateway")
    if gateway is None or not gateway.running or "8080/tcp" not in gateway.ports:
        raise Stopped("the gateway is not running")
    host, _, port = gateway.ports["8080/tcp"].rpartition(":")
    return f"http://{LOCAL.get(host, host)}:{port}"

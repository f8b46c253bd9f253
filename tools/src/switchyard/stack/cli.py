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

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what is published on all interfaces is here too


def run(root: Path, environment: Mapping[str, str], command: Sequence[str]) -> int:
    """Run `command`, the program first, and return its exit status.

    It is told address and key of the running stack, where the environment does not say them; with no stack in Docker
    it runs as it is. Raises `Stopped` if the program is not there, or the stack has no first key.
    """
    if not command:
        raise Stopped("say which program: cli .venv/bin/switchyard ARGS…")
    try:
        return subprocess.call(command, cwd=root, env={**_found(root, environment), **environment})
    except FileNotFoundError as error:
        raise Stopped(f"{command[0]} is not there", "make setup installs the switchyard command") from error


def _found(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    # No Docker or no stack in it: then the all-in-one process may be meant, and its key lies in its data folder.
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
        raise Stopped("the gateway does not run")
    host, _, port = gateway.ports["8080/tcp"].rpartition(":")
    return f"http://{_EVERYWHERE.get(host, host)}:{port}"

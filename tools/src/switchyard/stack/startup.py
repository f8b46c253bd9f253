"""`up` and `pull`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from switchyard.services import SERVICES
from switchyard.stack import digests
from switchyard.stack.containers import created
from switchyard.stack.diagnosis import diagnose
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.preflight import checks
from switchyard.stack.preflight.facts import gather
from switchyard.stack.preflight.findings import FAULT, OK, as_text
from switchyard.stack.stacks import Project
from switchyard.stack.text import say

_BUILD_SECONDS, _BUILD_LINES = 3600, 40


def up(root: Path, environment: Mapping[str, str], stack: str, force: bool) -> int:
    """Start `stack` and wait until it is healthy; returns the exit status of Compose. Raises `Stopped` on a fault."""
    project, facts = gather(root, environment, stack)
    findings = [finding for finding in checks.run(facts) if finding.level != OK]
    if findings:
        say(as_text(findings).rstrip("\n"))
    if any(finding.level == FAULT for finding in findings) and not force:
        command = f"PYTHONPATH=tools/src:shared/src python3 -m switchyard.stack up {stack} --force"
        raise Stopped("this machine does not fit the plan", f"fix the faults above, or start anyway: {command}")
    if _settings_changed(root, project):
        say(
            ".env has changed since the stack was started: services whose settings changed are recreated now, and give no "
            "answers for about half a minute"
        )
    whole = bool(environment.get("VERBOSE"))
    if not whole:
        _build(project, facts.config)
    # Containers of another stack would keep cards and memory that this one needs.
    code = project.show("up", "-d", "--build" if whole else "--quiet-pull", "--wait", "--remove-orphans")
    for line in _addresses(facts.config) if code == 0 else diagnose(project):
        say(line)
    return code


def _build(project: Project, config: Mapping[str, Any]) -> None:
    """Build the images of the stack, with a line for each; raises `Stopped` with the last lines of a build that fails."""
    for service, given in sorted((config.get("services") or {}).items()):
        if not given.get("build"):
            continue
        began = time.monotonic()
        try:
            # Not --quiet, which would say nothing of the step that fails.
            project.docker.out(
                *project.compose("--progress", "plain", "build", service), seconds=_BUILD_SECONDS, both=True
            )
        except DockerFailed as error:
            for line in error.stderr.rstrip().splitlines()[-_BUILD_LINES:]:
                say(f"    {line}")
            raise Stopped(f"the image of {service} could not be built", "VERBOSE=1 shows the whole build") from error
        say(f"{service}: image built in {time.monotonic() - began:.0f} s")


def _settings_changed(root: Path, project: Project) -> bool:
    """Return whether `.env` is newer than a container that runs."""
    try:
        changed = (root / ".env").stat().st_mtime
    except OSError:
        return False
    return any(container.running and created(container) < changed for container in project.containers())


def pull(project: Project) -> int:
    """Fetch or build images, and fetch models, and record digests; return the first exit status that is not 0."""
    try:
        one_shots = [service for service in project.services() if service.endswith("-models")]
    except DockerFailed as error:
        raise Stopped(f"the compose files are not valid: {error}", error.todo) from error
    for step in ("pull", "--ignore-buildable"), ("build",), *(("run", "--rm", "--no-deps", each) for each in one_shots):
        code = project.show(*step)
        if code:
            return code
    for line in digests.record(project):
        say(line)
    return 0


def _addresses(config: Mapping[str, Any]) -> list[str]:
    """Return where the page is published; an address of all interfaces is shown as localhost."""
    ports = config.get("services", {}).get("gateway", {}).get("ports") or [{}]
    host, port = ports[0].get("host_ip") or "localhost", ports[0].get("published") or "8080"
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else host  # noqa: S104
    return [
        "the stack is up",
        f"  page       http://{shown}:{port}/",
        f"  REST       http://{shown}:{port}" + ", ".join(f"/{service.path}/docs" for service in SERVICES),
        "  first key  make key",
        "  status     make status",
    ]

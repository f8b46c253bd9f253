"""The docker command, the engine, Compose, the files."""

from __future__ import annotations

from collections.abc import Iterator

from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding, fault, ok, warning

COMPOSE = (2, 24)
# The overlays take lists away and put others in their place (!reset, !override).
_OVERLAYS = (2, 24, 4)


def command(facts: Facts) -> Iterator[Finding]:
    if facts.docker_fault:
        yield fault("docker", facts.docker_fault, "https://docs.docker.com/engine/install/")


def engine(facts: Facts) -> Iterator[Finding]:
    if facts.docker_fault:
        return
    if facts.engine_fault:
        words = facts.engine_fault.splitlines()[0]
        todo = "start it: sudo systemctl start docker"
        if "permission denied" in facts.engine_fault:
            todo = "let your user use it: sudo usermod -aG docker $USER, then log in again; or put sudo before make"
        yield fault("engine", f"the engine does not answer: {words}", todo)
        return
    yield ok("engine", f"Docker {facts.engine.get('ServerVersion', '?')} on {facts.engine.get('OperatingSystem', '?')}")
    if facts.remote:
        words = "the engine is on another machine: its cards, memory, disk and ports can't be seen from here"
        yield warning("engine", words, "run make preflight on that machine")


def compose(facts: Facts) -> Iterator[Finding]:
    if facts.docker_fault:
        return
    shown = ".".join(map(str, facts.compose))
    if not facts.compose:
        yield fault(
            "compose",
            "docker has no Compose plug-in",
            "install the package docker-compose-plugin: https://docs.docker.com/compose/install/linux/",
        )
    elif facts.compose < (wanted := _OVERLAYS if facts.stack in ("cpu", "single-gpu") else COMPOSE):
        needed = ".".join(map(str, wanted))
        yield fault(
            "compose", f"Compose {shown} is too old: {needed} is needed", "update the package docker-compose-plugin"
        )
    else:
        yield ok("compose", f"Compose {shown}")


def files(facts: Facts) -> Iterator[Finding]:
    if facts.config_fault and not facts.docker_fault:
        yield fault("files", f"the compose files are not right: {facts.config_fault}", "mend .env or the file it names")
    elif facts.services:
        yield ok("files", f"{len(facts.services)} services")

"""After a start that failed: which containers failed, their last output, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from switchyard.stack.containers import Container
from switchyard.stack.errors import DockerFailed
from switchyard.stack.faults import state_words, todo_for
from switchyard.stack.stacks import Project

_LINES = 15
# Patterns in an error, a health check or a log, and what to do about them; the first that matches counts.
_ADVICE: Mapping[str, str] = {
    r"port is already allocated|address already in use": "another program uses the port: make preflight says for which service",
    r"could not select device driver|nvidia-container-cli": "Docker can't give containers a card: make preflight",
    r"no space left on device": "the disk is full: docker system df shows what takes it",
    r"range of CPUs is from": "the machine has fewer cores than a limit says: make preflight",
    r"is gated": "accept the licence and set a token, or choose an open model (secrets/README.md)",
    r"add up to|Free memory on device|CUDA out of memory|OutOfMemory": "the card is too small for these models: make preflight",
    r"No available memory for the cache blocks|KV cache": "lower VLLM_MAX_MODEL_LEN, or raise GPU_MEMORY_UTILIZATION",
    r"Temporary failure in name resolution|Could not resolve|no such host|i/o timeout|Network is unreachable": (
        "models and images come from the internet: check the connection, proxy and DNS, and start again"
    ),
    r"the policy in \S+ does not fit": "the policy names a backend that this stack lacks: make preflight",
    r"cannot be written|Permission denied|Read-only file system": "a volume has another owner: was it created by hand?",
}
_KNOWN = {re.compile(pattern, re.IGNORECASE): todo for pattern, todo in _ADVICE.items()}


def diagnose(project: Project) -> Iterator[str]:
    """Yield a report on the containers that are not healthy; those that only wait for others are last."""
    failed = [container for container in project.containers() if not container.is_healthy]
    if not failed:
        yield "Compose failed before it started anything: see its message above"
    for container in sorted(
        failed, key=lambda container: (container.state == "created" and not container.error, container.service)
    ):
        if container.state == "created" and not container.error:
            yield f"{container.service}: waits for other containers"
            continue
        yield f"{container.service} {state_words(container)}"
        if container.last_check and not container.out_of_memory:
            yield "  its last health check printed:"
            yield from _shown(container.last_check.splitlines())
        log = last_lines(project, container)
        if log:
            yield "  its last lines:"
            yield from _shown(log)
        yield f"  -> {advice([container.error, container.last_check, *log]) or todo_for(container)}"


def advice(texts: Sequence[str]) -> str:
    """Return what to do about a known cause; empty for others."""
    whole = "\n".join(texts)
    return next((todo for pattern, todo in _KNOWN.items() if pattern.search(whole)), "")


def last_lines(project: Project, container: Container) -> list[str]:
    """Return the end of its log, both streams."""
    try:
        return project.docker.out("logs", "--tail", str(_LINES), container.id, both=True).splitlines()[-_LINES:]
    except DockerFailed:
        return []


def _shown(lines: Sequence[str]) -> Iterator[str]:
    return (f"    {line.rstrip()}" for line in lines[-_LINES:] if line.strip())

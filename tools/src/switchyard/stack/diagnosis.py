"""After a start that failed: which containers are at fault, what they last said, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from switchyard.stack.containers import Container
from switchyard.stack.errors import DockerFailed
from switchyard.stack.faults import state_words, todo_for
from switchyard.stack.stacks import Project

_LINES = 15
# What is found in an error, a health check or a log, and what it means to the operator; the first that is found counts.
_KNOWN: Mapping[str, str] = {
    r"port is already allocated|address already in use": "somebody else has the port: make preflight says who wants it",
    r"could not select device driver|nvidia-container-cli": "Docker has no NVIDIA card to give: make preflight",
    r"no space left on device": "the disk is full: docker system df shows what takes it",
    r"range of CPUs is from": "the machine has fewer cores than a limit says: make preflight",
    r"is gated": "see the message: accept the licence and give a token, or choose an open model (secrets/README.md)",
    r"add up to|Free memory on device|CUDA out of memory|OutOfMemory": "the card is too small for the plan: make preflight",
    r"No available memory for the cache blocks|KV cache": "lower VLLM_MAX_MODEL_LEN, or raise GPU_MEMORY_UTILIZATION",
    r"Temporary failure in name resolution|Could not resolve|no such host|i/o timeout|Network is unreachable": (
        "models and images come from the internet: see to the connection, a proxy or DNS, and start again"
    ),
    r"the policy in .* does not fit": "the policy names a backend that this stack lacks: make preflight",
    r"cannot be written|Permission denied|Read-only file system": "a volume has another owner: was it made by hand?",
}


def diagnose(project: Project) -> Iterator[str]:
    """Yield what is to be told about the containers that are not well; those only waiting for others come last."""
    unwell = [one for one in project.containers() if not one.well]
    if not unwell:
        yield "Compose failed before it started anything: see its message above"
    for one in sorted(unwell, key=lambda one: (one.state == "created" and not one.error, one.service)):
        if one.state == "created" and not one.error:
            yield f"{one.service}: waits for others"
            continue
        yield f"{one.service} {state_words(one)}"
        if one.last_check and not one.out_of_memory:
            yield "  the last health check said:"
            yield from _shown(one.last_check.splitlines())
        log = last_lines(project, one)
        if log:
            yield "  its last lines:"
            yield from _shown(log)
        yield f"  -> {advice([one.error, one.last_check, *log]) or todo_for(one)}"


def advice(texts: Sequence[str]) -> str:
    """What to do about a cause that is known; empty for others."""
    whole = "\n".join(texts)
    return next((todo for pattern, todo in _KNOWN.items() if re.search(pattern, whole, re.IGNORECASE)), "")


def last_lines(project: Project, one: Container) -> list[str]:
    """The end of its log, both streams."""
    try:
        return project.docker.out("logs", "--tail", str(_LINES), one.id, both=True).splitlines()[-_LINES:]
    except DockerFailed:
        return []


def _shown(lines: Sequence[str]) -> Iterator[str]:
    return (f"    {line.rstrip()}" for line in lines[-_LINES:] if line.strip())

"""What is wrong in a running stack, and what to do about it: a small function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from switchyard.stack.containers import Container
from switchyard.stack.state import StackState


@dataclass(frozen=True)
class Fault:
    what: str
    todo: str


_KILLED = 137
"""128 and the number of SIGKILL: ended by somebody with rights on the machine. For a lack of memory Docker has a mark of its own."""
Check = Callable[[StackState], Iterator[Fault]]


def faults(state: StackState) -> list[Fault]:
    """Return everything that is wrong, the most basic first."""
    return [fault for check in _CHECKS for fault in check(state)]


def _nothing_runs(state: StackState) -> Iterator[Fault]:
    if not state.containers and not state.process:
        yield Fault(
            "the stack is down: it has no containers, and no process without Docker answers",
            "make up, make up-vllm, make up-cpu or make up-single-gpu; without Docker: make demo or make up-embedded",
        )


def _missing(state: StackState) -> Iterator[Fault]:
    for service in state.missing if state.containers else ():
        yield Fault(f"{service} has no container", todo_for(None))


def _containers(state: StackState) -> Iterator[Fault]:
    for container in state.containers:
        # `_not_ready` reports why, from its own health page.
        reported = container.running and state.health.get(container.service, {}).get("failures")
        if not container.is_healthy and not reported:
            yield Fault(f"{container.service} {state_words(container)}", todo_for(container))


def _unanswered(state: StackState) -> Iterator[Fault]:
    for service, why in state.unanswered.items():
        yield Fault(f"{service} does not answer at its health page: {why}", f"make logs SERVICE={service}")


def _not_ready(state: StackState) -> Iterator[Fault]:
    for service, page in state.health.items():
        for name, failure in page.get("failures", {}).items():
            detail = failure.get("detail", "unknown reason")
            yield Fault(f"{service}: {name}: {detail}", _ADVICE.get(name, f"make logs SERVICE={service}"))


def _roles(state: StackState) -> Iterator[Fault]:
    page = state.health.get("rag-service", {})
    for role, provider in page.get("providers", {}).items():
        breaker = provider.get("breaker")
        if breaker in ("open", "half_open") and role not in page.get("failures", {}):
            backend, why = provider.get("backend"), provider.get("last_error") or "unknown reason"
            yield Fault(f"{role}: {backend} gets no requests after failures ({why})", f"make logs SERVICE={backend}")


def _policy(state: StackState) -> Iterator[Fault]:
    for role, policy in state.policy.get("roles", {}).items():
        if policy.get("halted"):
            yield Fault(f"{role} is halted by the operator: it gives no answers", "make resume")


_CHECKS: Sequence[Check] = (_nothing_runs, _missing, _containers, _unanswered, _not_ready, _roles, _policy)
_ADVICE = {
    "text": "look at the model server: make logs SERVICE=ollama (or vllm); or switch the engine: make use-ollama, make use-vllm",
    "embeddings": "look at the model server: make logs SERVICE=ollama (or vllm)",
    "vision": "look at the model server: make logs SERVICE=ollama",
    "start": "wait: it is starting",
}


def state_words(container: Container) -> str:
    """Describe the state of a container that is not healthy."""
    if container.out_of_memory:
        return "was killed: it needed more memory than its limit"
    if container.running:
        return f"is {container.health}: {last_line(container.last_check) or 'no check has finished yet'}"
    if container.state == "exited":
        if container.exit_code == _KILLED:
            return "was killed"
        return f"has ended with {container.exit_code}{': ' + container.error if container.error else ''}"
    if container.state == "created" and not container.error:
        return "waits for the containers that it depends on"
    return f"is {container.state}{': ' + container.error if container.error else ''}"


def todo_for(container: Container | None) -> str:
    """Return what to do for a container that is not healthy, or missing."""
    if container is None:
        return "start the stack again: make up, or the target that you started it with"
    if container.out_of_memory:
        return f"give {container.service} more memory in .env (see .env.example), or a smaller model"
    if container.state == "paused":
        return f"perhaps a backup was killed: docker unpause {container.name}"
    if container.state == "created" and not container.error:
        return "fix those first; then start the stack again"
    if container.state == "exited" and container.exit_code == _KILLED:
        return f"start it again: docker start {container.name}; make logs SERVICE={container.service} shows its end"
    if container.running and container.health == "starting":
        return f"wait; make logs SERVICE={container.service} shows its progress"
    return f"make logs SERVICE={container.service}"


def last_line(text: str) -> str:
    """Return the last line that is not empty, at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

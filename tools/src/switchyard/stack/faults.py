"""What is not well in a running stack, and what to do about it: one small function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from switchyard.stack.containers import Container
from switchyard.stack.gathering import Gathered


@dataclass(frozen=True)
class Fault:
    what: str
    todo: str


Look = Callable[[Gathered], Iterator[Fault]]


def faults(seen: Gathered) -> list[Fault]:
    """Return everything that is not well, the most basic first."""
    return [fault for look in _LOOKS for fault in look(seen)]


def _nothing_runs(seen: Gathered) -> Iterator[Fault]:
    if not seen.containers:
        yield Fault(
            "the stack is down: it has no containers", "make up, make up-vllm, make up-cpu or make up-single-gpu"
        )


def _missing(seen: Gathered) -> Iterator[Fault]:
    for service in seen.missing if seen.containers else ():
        yield Fault(
            f"{service} has no container", "start the stack again: make up, or the target that you started it with"
        )


def _containers(seen: Gathered) -> Iterator[Fault]:
    for one in seen.containers:
        # Its own page says why it is red, below.
        told = one.running and seen.health.get(one.service, {}).get("failures")
        if not one.well and not told:
            yield Fault(f"{one.service} {state_words(one)}", todo_for(one))


def _unanswered(seen: Gathered) -> Iterator[Fault]:
    for service, why in seen.unanswered.items():
        yield Fault(f"{service} does not answer on its health page: {why}", f"make logs SERVICE={service}")


def _not_ready(seen: Gathered) -> Iterator[Fault]:
    for service, page in seen.health.items():
        for name, failure in page.get("failures", {}).items():
            detail = failure.get("detail", "no reason given")
            yield Fault(f"{service}: {name}: {detail}", _ADVICE.get(name, f"make logs SERVICE={service}"))


def _roles(seen: Gathered) -> Iterator[Fault]:
    page = seen.health.get("rag-service", {})
    for role, provider in page.get("providers", {}).items():
        breaker = provider.get("breaker")
        if breaker in ("open", "half_open") and role not in page.get("failures", {}):
            backend, why = provider.get("backend"), provider.get("last_error") or "no reason kept"
            yield Fault(f"{role}: {backend} is left alone after failures ({why})", f"make logs SERVICE={backend}")


def _policy(seen: Gathered) -> Iterator[Fault]:
    for role, wanted in seen.policy.get("roles", {}).items():
        if wanted.get("halted"):
            yield Fault(f"{role} is halted by the operator: no answers are given", "make resume")


_LOOKS: Sequence[Look] = (_nothing_runs, _missing, _containers, _unanswered, _not_ready, _roles, _policy)
_ADVICE = {
    "text": "look at the model server: make logs SERVICE=ollama (or vllm); or let the other serve: make use-ollama, make use-vllm",
    "embeddings": "look at the model server: make logs SERVICE=ollama (or vllm)",
    "vision": "look at the model server: make logs SERVICE=ollama",
    "start": "wait: it is starting",
}


def state_words(one: Container) -> str:
    """Say how a container is that is not well."""
    if one.out_of_memory:
        return "was killed: it needed more memory than its limit"
    if one.running:
        return f"is {one.health}: {last_line(one.last_check) or 'no check has ended yet'}"
    if one.state == "exited":
        return f"has ended with {one.exit_code}{': ' + one.error if one.error else ''}"
    if one.state == "created" and not one.error:
        return "waits for the containers that it depends on"
    return f"is {one.state}{': ' + one.error if one.error else ''}"


def todo_for(one: Container) -> str:
    """Say what to do for a container that is not well."""
    if one.out_of_memory:
        return f"give {one.service} more memory in .env (see .env.example), or a smaller model"
    if one.state == "paused":
        return f"a backup that was killed may have left it so: docker unpause {one.name}"
    if one.state == "created" and not one.error:
        return "mend those first; then start the stack again"
    if one.running and one.health == "starting":
        return f"wait; make logs SERVICE={one.service} shows how far it is"
    return f"make logs SERVICE={one.service}"


def last_line(text: str) -> str:
    """The last line that says anything, at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

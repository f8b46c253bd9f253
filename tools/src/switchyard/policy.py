"""The policy of a running stack: read, changed, and applied by the services."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import typer

from switchyard import output
from switchyard.client import Client, StackError
from switchyard.services import SERVICES
from switchyard.transitions import Policy, Transition, differences

T = TypeVar("T")
UNKNOWN = "provider-not-configured"
"""The kind of the refusal of a backend that is not in the table."""
_STALE = "stale-policy"

PATHS = tuple(service.path for service in SERVICES)
_FIRST = PATHS[0]
_POLL_SECONDS = 0.05
_LONGEST_WHY = 500

View: TypeAlias = dict[str, Any]
"""What `GET /v1/providers` answers: revision, changed, policy, roles, backends, canary, shadow."""


@dataclass(frozen=True, slots=True)
class Propagation:
    """Seconds until each service had the revision, and why others had not."""

    seconds: dict[str, float]
    missing: dict[str, str]


def read(client: Client, service: str = _FIRST) -> View:
    """Return the policy, canaries and shadows, as one service reports them."""
    view: View = client.call("GET", f"/{service}/v1/providers")
    if "revision" not in view:
        raise StackError(f"the {service} service at {client.url} has no policy: it is of an older version")
    return view


def put(client: Client, view: View, policy: Policy, why: str) -> View:
    """Replace the policy of `view`; raises `StackError` with status 409 if it is no longer the current one."""
    after: View = client.call(
        "PUT",
        f"/{_FIRST}/v1/providers",
        json={"revision": view["revision"], "why": why[:_LONGEST_WHY], "policy": policy},
    )
    return after


def change(client: Client, step: Transition, why: str, say: Callable[[str], None]) -> tuple[View, View]:
    """Take a step from the current policy, and return the views before and after it.

    If another change comes first, the step is taken once more, from that policy. A step that changes nothing writes
    nothing: then both views are the same.
    """

    def attempt() -> tuple[View, View]:
        before = read(client)
        policy = step(before["policy"])
        return before, before if policy == before["policy"] else put(client, before, policy, why)

    return retried(attempt, say)


def retried(attempt: Callable[[], T], say: Callable[[str], None]) -> T:
    """Return what `attempt` does to the policy document; it is made once more if another change came first."""
    try:
        return attempt()
    except StackError as error:
        # A policy that is managed elsewhere is a 409 too, and stays one.
        if error.kind != _STALE:
            raise
        say(f"{error}; retrying from there")
        return attempt()


def take(client: Client, step: Transition, why: str) -> None:
    """Take a step and wait until every service applies it; raises `typer.Exit` if one does not."""
    before, after = change(client, step, why, output.say)
    if after["revision"] == before["revision"]:
        output.say(f"nothing to change: this is revision {before['revision']} already")
        return
    for line in differences(before["policy"], after["policy"]):
        output.say(line)
    if follow(client, after["revision"], output.say).missing:
        raise typer.Exit(1)


def check(client: Client, role: str, backend: str) -> str:
    """Send a test request to `backend`, and return what it answered in words; raises `StackError` if it fails."""
    try:
        answer = client.call("POST", "/rag/v1/providers/check", json={"role": role, "backend": backend})
    except StackError as error:
        if error.kind == UNKNOWN:
            words = not_serving(read(client), role, backend) or str(error)
            todo = "start one in Docker (make up-vllm), or name one that runs: switchyard engines add NAME"
            words = f"{words}; {todo} --engine-url URL --role {role}=MODEL"
            raise StackError(words, status=error.status, kind=error.kind) from error
        raise StackError(f"{backend} does not serve {role}: {error}", status=error.status, kind=error.kind) from error
    return f"{backend} answers for {role}: {answer['model']}, {answer['seconds']:.2f} s"


def under_way(client: Client, roles: Collection[str]) -> int:
    """Count the calls of engines that run now, in the replica of each service that answers; all services may be one process."""
    counts: dict[str, int] = {}
    for service in PATHS:
        # `take` names the services that do not answer.
        with suppress(StackError):
            view = read(client, service)
            running = view.get("running", {})
            counts[str(view.get("replica"))] = sum(sum(running.get(role, {}).values()) for role in roles)
    return sum(counts.values())


def not_serving(view: View, role: str, backend: str) -> str:
    """Return that `backend` does not serve `role`, and which do; empty if it does."""
    names = sorted(name for name, roles in view["backends"].items() if role in roles)
    return "" if backend in names else f"{backend} does not serve {role} here; there are {', '.join(names)}"


def follow(client: Client, revision: int, say: Callable[[str], None], within: float = 2.0) -> Propagation:
    """Wait until every service of the stack has the revision, at most `within` seconds, and say how soon, or what to check."""
    began = time.monotonic()
    seconds: dict[str, float] = {}
    missing = dict.fromkeys(PATHS, "")
    while missing:
        for service in list(missing):
            try:
                current = read(client, service)["revision"]
            except StackError as error:
                missing[service] = str(error)
                if error.status == 404:
                    # A stack without this service, as those of earlier releases are without the newest.
                    del missing[service]
                continue
            if current >= revision:
                seconds[service] = time.monotonic() - began
                del missing[service]
            else:
                missing[service] = f"it is at revision {current}"
        if time.monotonic() - began >= within:
            break
        time.sleep(_POLL_SECONDS if missing else 0)
    if seconds:
        say(f"revision {revision} is in effect in {', '.join(seconds)} after {max(seconds.values()):.2f} s")
    for service, why in missing.items():
        say(
            f"{service} does not apply it ({why}): is it running, and do all services share the volume with the policy file?"
        )
    return Propagation(seconds, missing)

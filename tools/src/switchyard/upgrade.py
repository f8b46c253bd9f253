"""`switchyard engines upgrade`: an engine is replaced in place, while another one serves."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from switchyard import transitions
from switchyard.client import Client, StackError
from switchyard.output import confirmed, console, say
from switchyard.policy import PATHS, change, check, follow, read
from switchyard.reports import write_json
from switchyard.transitions import Transition, role_of

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is to be done, with every limit; times in seconds."""

    engine: str
    stand_in: str
    role: str
    command: str
    stages: str
    hold: float
    min_requests: int
    drain: float
    ready: float
    state: Path
    out: Path
    yes: bool = False


@dataclass(slots=True)
class Record:
    """What was done: seconds per step, and what ran before and after."""

    began: str
    seconds: dict[str, float] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""


def run(client: Client, key: str, upgrade: Upgrade) -> int:
    """Upgrade, or go on with an upgrade whose traffic is on the stand-in already; return the exit status."""
    role, engine, stand_in = upgrade.role, upgrade.engine, upgrade.stand_in
    before = role_of(read(client)["policy"], role)
    if before["stable"] not in (engine, stand_in):
        raise StackError(f"{role} is served by {before['stable']}, not by {engine}")
    say(check(client, role, stand_in))
    for line in _plan(upgrade):
        say(line)
    if not upgrade.yes and not confirmed("go?"):
        return 0
    record = Record(datetime.now(UTC).isoformat(timespec="seconds"))
    record.before = _about(client, engine, role)
    fallbacks = [name for name in before["fallbacks"] if name not in (engine, stand_in)]

    with _timed(record, "switch"):
        _step(
            client,
            lambda policy: transitions.chain(transitions.use(policy, role, stand_in), role, fallbacks),
            f"upgrade of {engine}: traffic to {stand_in}",
        )
    with _timed(record, "drain"):
        _drain(client, upgrade)
    with _timed(record, "replace"):
        _replace(upgrade)
    with _timed(record, "ready"):
        _wait_until_ready(client, upgrade)
    record.after = _about(client, engine, role)
    with _timed(record, "canary"):
        status = _canary(client, key, upgrade)
    record.outcome = "upgraded" if status == 0 else f"{stand_in} serves {role}"
    if status == 0:
        # As it was before: the stand-in in the place that it had.
        _step(
            client,
            lambda policy: transitions.chain(policy, role, before["fallbacks"] if before["stable"] == engine else None),
            f"upgrade of {engine}: done",
        )
    steps = ", ".join(f"{name} {seconds:g} s" for name, seconds in record.seconds.items())
    say(f"{engine}: {record.outcome}; {steps}")
    say(f"before: {_software(record.before)}")
    say(f"after:  {_software(record.after)}")
    path = upgrade.out / f"upgrade-{record.began.replace(':', '').replace('+0000', 'Z')}.json"
    write_json(path, {"engine": engine, "stand_in": stand_in, **asdict(record)})
    say(str(path))
    return status


def _plan(upgrade: Upgrade) -> list[str]:
    command = upgrade.command or "you are asked to replace it"
    return [
        f"{upgrade.role}: {upgrade.engine} is replaced in place; {upgrade.stand_in} serves meanwhile",
        f"  switch   {upgrade.stand_in} is stable and {upgrade.engine} no fallback; running answers end where they began",
        f"  drain    until no answer runs on {upgrade.engine}, at most {upgrade.drain:g} s; what is left is continued elsewhere",
        f"  replace  {command}",
        f"  ready    until {upgrade.engine} has produced a token, at most {upgrade.ready:g} s",
        f"  canary   {upgrade.stages} % for {upgrade.hold:g} s each; a gate that trips puts {upgrade.stand_in} back",
        "  collections whose index is embedded by it are searched by keywords meanwhile, and ingestion waits",
    ]


def _step(client: Client, step: Transition, why: str) -> None:
    _, after = change(client, step, why, say)
    follow(client, after["revision"], say)


def _drain(client: Client, upgrade: Upgrade) -> None:
    end, shown = time.monotonic() + upgrade.drain, -1
    while True:
        # By replica: services that share a process all report the same calls.
        views = {view["replica"]: view for view in (read(client, path) for path in PATHS)}
        running = sum(view["running"].get(upgrade.role, {}).get(upgrade.engine, 0) for view in views.values())
        if running != shown:
            say(f"drain: {running} answers run on {upgrade.engine}")
            shown = running
        if not running:
            return
        if time.monotonic() > end:
            say(f"drain: {running} answers are left after {upgrade.drain:g} s; another engine continues them")
            return
        time.sleep(_POLL_SECONDS)


def _replace(upgrade: Upgrade) -> None:
    if not upgrade.command:
        if not console.is_terminal:
            raise StackError(
                f"traffic is on {upgrade.stand_in}; not a terminal: pass --command to replace {upgrade.engine}"
            )
        typer.prompt(f"replace {upgrade.engine} now, then press Enter", default="", show_default=False)
        return
    say(f"$ {upgrade.command}")
    done = subprocess.run(shlex.split(upgrade.command), check=False)
    if done.returncode:
        raise StackError(
            f"the command ended with status {done.returncode}; {upgrade.stand_in} serves {upgrade.role}: "
            "repair it and run this again"
        )


def _wait_until_ready(client: Client, upgrade: Upgrade) -> None:
    began, shown = time.monotonic(), ""
    while True:
        try:
            client.call("POST", "/rag/v1/providers/check", json={"role": upgrade.role, "backend": upgrade.engine})
            say(f"ready: {upgrade.engine} answers after {time.monotonic() - began:.1f} s")
            return
        except StackError as error:
            waited = time.monotonic() - began
            if waited > upgrade.ready:
                raise StackError(
                    f"{upgrade.engine} does not answer after {waited:.0f} s ({error}); {upgrade.stand_in} serves "
                    f"{upgrade.role}: run this again when it does"
                ) from error
            if str(error) != shown:
                shown = str(error)
                say(f"ready: waiting, {shown}")
        time.sleep(_POLL_SECONDS)


def _canary(client: Client, key: str, upgrade: Upgrade) -> int:
    from switchyard.migrate.command import Options, run
    from switchyard.migrate.plan import Plan, StageLimits, stages

    limits = StageLimits(upgrade.hold, upgrade.min_requests)
    plan = Plan(upgrade.stand_in, upgrade.engine, upgrade.role, stages(upgrade.stages, 0), limits)
    again = shlex.join(["switchyard", "engines", "upgrade", upgrade.engine, "--stand-in", upgrade.stand_in])
    back = f"switchyard providers rollback --role {upgrade.role}"
    return run(client, key, plan, Options(upgrade.state, upgrade.out, None, (), again, back, yes=True))


def _about(client: Client, engine: str, role: str) -> dict[str, Any]:
    checked = client.call("POST", "/rag/v1/engines/check", json={"name": engine})["roles"].get(role, {})
    about: dict[str, Any] = checked.get("about") or {}
    return about


@contextmanager
def _timed(record: Record, step: str) -> Iterator[None]:
    """Measure a step into the record."""
    began = time.monotonic()
    yield
    record.seconds[step] = round(time.monotonic() - began, 2)


def _software(about: dict[str, Any]) -> str:
    return " ".join(str(about[name]) for name in ("engine", "version", "model") if about.get(name)) or "unknown"

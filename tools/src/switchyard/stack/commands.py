"""The verbs, each a function of the checkout's folder, the environment and its arguments, that returns an exit status."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from switchyard.stack import cli, stacks, state, status
from switchyard.stack.backup import backup
from switchyard.stack.faults import faults
from switchyard.stack.key import first_key
from switchyard.stack.preflight import checks, facts
from switchyard.stack.preflight.findings import FAULT, as_text
from switchyard.stack.restore import restore
from switchyard.stack.startup import pull, up

Environment = Mapping[str, str]


def compose(root: Path, environment: Environment, options: Namespace) -> int:
    project = stacks.current(root, environment)
    return project.docker.show(*project.compose(*options.args))


def operate(root: Path, environment: Environment, options: Namespace) -> int:
    return cli.run(root, environment, options.args)


def down(root: Path, environment: Environment, options: Namespace) -> int:
    """Stop and remove the containers and networks; volumes stay."""
    project = stacks.current(root, environment)
    # All profiles, or monitoring's containers would keep the network in use.
    return project.docker.show(*project.compose("--profile", "*", "down", "--remove-orphans"))


def logs(root: Path, environment: Environment, options: Namespace) -> int:
    project = stacks.current(root, environment)
    follow = ["--follow"] if sys.stdout.isatty() and not options.no_follow else []
    return project.docker.show(
        *project.compose("--profile", "*", "logs", "--tail", str(options.tail), *follow, *options.services)
    )


def key(root: Path, environment: Environment, options: Namespace) -> int:
    print(first_key(stacks.current(root, environment)))
    return 0


def keys(root: Path, environment: Environment, options: Namespace) -> int:
    project = stacks.current(root, environment)
    command = "python -m service_kit.manage_keys".split()
    return project.docker.show(*project.compose("exec", "-T", "rag-service", *command, *options.args))


def show_status(root: Path, environment: Environment, options: Namespace) -> int:
    now = state.read(stacks.current(root, environment))
    print(status.as_json(now) if options.json else status.as_text(now, time.time()), end="")
    return 1 if faults(now) else 0


def make_backup(root: Path, environment: Environment, options: Namespace) -> int:
    backup(stacks.current(root, environment), root / options.to, _say)
    return 0


def restore_backup(root: Path, environment: Environment, options: Namespace) -> int:
    restore(stacks.current(root, environment), root / options.file, options.force, _say)
    return 0


def preflight(root: Path, environment: Environment, options: Namespace) -> int:
    findings = checks.run(facts.gather(root, environment, options.stack)[1])
    print(as_text(findings), end="")
    return 1 if any(finding.level == FAULT for finding in findings) else 0


def start(root: Path, environment: Environment, options: Namespace) -> int:
    return up(root, environment, options.stack, options.force, _say)


def fetch(root: Path, environment: Environment, options: Namespace) -> int:
    return pull(stacks.current(root, environment))


def _say(line: str) -> None:
    print(line, flush=True)

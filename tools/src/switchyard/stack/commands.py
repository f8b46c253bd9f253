"""The verbs, each a function of the checkout's folder, the environment and its arguments, that returns an exit status."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from switchyard.stack import cli, stacks, status
from switchyard.stack.backup import backup
from switchyard.stack.faults import faults
from switchyard.stack.gathering import gather
from switchyard.stack.key import first_key
from switchyard.stack.preflight import checks, facts
from switchyard.stack.preflight.findings import FAULT, as_text
from switchyard.stack.restore import restore
from switchyard.stack.starting import pull, up

Environment = Mapping[str, str]


def compose(root: Path, environment: Environment, given: Namespace) -> int:
    project = stacks.current(root, environment)
    return project.docker.show(*project.compose(*given.args))


def operate(root: Path, environment: Environment, given: Namespace) -> int:
    return cli.run(root, environment, given.args)


def down(root: Path, environment: Environment, given: Namespace) -> int:
    """Stop and remove the containers and networks; volumes stay."""
    project = stacks.current(root, environment)
    # Every profile, or monitoring's containers would keep the network busy.
    return project.docker.show(*project.compose("--profile", "*", "down", "--remove-orphans"))


def logs(root: Path, environment: Environment, given: Namespace) -> int:
    project = stacks.current(root, environment)
    follow = ["--follow"] if sys.stdout.isatty() and not given.no_follow else []
    return project.docker.show(
        *project.compose("--profile", "*", "logs", "--tail", str(given.tail), *follow, *given.services)
    )


def key(root: Path, environment: Environment, given: Namespace) -> int:
    print(first_key(stacks.current(root, environment)))
    return 0


def keys(root: Path, environment: Environment, given: Namespace) -> int:
    project = stacks.current(root, environment)
    asked = "python -m service_kit.manage_keys".split()
    return project.docker.show(*project.compose("exec", "-T", "rag-service", *asked, *given.args))


def show_status(root: Path, environment: Environment, given: Namespace) -> int:
    seen = gather(stacks.current(root, environment))
    print(status.as_json(seen) if given.json else status.as_text(seen, time.time()), end="")
    return 1 if faults(seen) else 0


def make_backup(root: Path, environment: Environment, given: Namespace) -> int:
    backup(stacks.current(root, environment), root / given.to, _say)
    return 0


def put_back(root: Path, environment: Environment, given: Namespace) -> int:
    restore(stacks.current(root, environment), root / given.file, given.force, _say)
    return 0


def preflight(root: Path, environment: Environment, given: Namespace) -> int:
    findings = checks.run(facts.gather(root, environment, given.stack)[1])
    print(as_text(findings), end="")
    return 1 if any(finding.level == FAULT for finding in findings) else 0


def start(root: Path, environment: Environment, given: Namespace) -> int:
    return up(root, environment, given.stack, given.force, _say)


def fetch(root: Path, environment: Environment, given: Namespace) -> int:
    return pull(stacks.current(root, environment))


def _say(line: str) -> None:
    print(line, flush=True)

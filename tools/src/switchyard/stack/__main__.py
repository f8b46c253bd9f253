"""`python3 -m switchyard.stack VERB`, run in the checkout's folder: the verbs, each a function that returns an exit status."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from switchyard.installation import FOLDERS, running
from switchyard.stack import cli, stacks, startup, state, status
from switchyard.stack.backup import backup
from switchyard.stack.errors import Stopped
from switchyard.stack.faults import faults
from switchyard.stack.preflight import checks, facts
from switchyard.stack.preflight.findings import FAULT, as_text
from switchyard.stack.restore import restore
from switchyard.stack.stacks import STACKS, Project

_INTERRUPTED = 130
_FORWARDED = ("compose", "cli", "keys")
"""Verbs whose arguments are for another program: argparse would take those that begin with a dash."""
Environment = Mapping[str, str]


def _down(project: Project, options: Namespace) -> int:
    # All profiles, or monitoring's containers would keep the network in use.
    return project.show("--profile", "*", "down", "--remove-orphans")


def _logs(project: Project, options: Namespace) -> int:
    if not project.containers():
        logs = [str(path) for folder in FOLDERS if (path := project.docker.root / folder / "switchyard.log").is_file()]
        without = f"; the log of `make demo`: {', '.join(logs)}" if logs else ""
        raise Stopped(f"the stack in Docker has no containers, and so no logs{without}", "make up starts it")
    follow = sys.stdout.isatty() and not options.no_follow
    if not follow and not options.no_follow:
        words = f"the last {options.tail} lines of each container; on a terminal they are followed"
        print(words, file=sys.stderr)
    return project.show(
        "--profile", "*", "logs", "--tail", str(options.tail), *(["--follow"] if follow else []), *options.services
    )


def _key(root: Path, environment: Environment, options: Namespace) -> int:
    print(cli.key(root, environment))
    return 0


def _status(root: Path, environment: Environment, options: Namespace) -> int:
    now = _state(root, environment)
    print(status.as_json(now) if options.json else status.as_text(now, time.time()), end="")
    return 1 if faults(now) else 0


def _state(root: Path, environment: Environment) -> state.StackState:
    """Return the state of the stack in Docker, or of the process without it where there are no containers."""
    process = running([root / folder for folder in FOLDERS])
    try:
        now = state.read(stacks.current(root, environment))
    except Stopped:
        if process is None:
            raise
        return state.read_process(process)
    return state.read_process(process) if process and not now.containers else now


def _backup(project: Project, options: Namespace) -> int:
    backup(project, project.docker.root / options.to)
    return 0


def _restore(project: Project, options: Namespace) -> int:
    root = project.docker.root
    if options.file is None:
        made = sorted(path.relative_to(root) for path in (root / "backups").glob("switchyard-*.tar.gz"))
        newest = (
            f"the newest: make restore FILE={made[-1]}" if made else "make backup makes one; there is none in backups/"
        )
        raise Stopped("name the archive to restore", newest)
    restore(project, root / options.file, options.force)
    return 0


def _preflight(root: Path, environment: Environment, options: Namespace) -> int:
    findings = checks.run(facts.gather(root, environment, options.stack)[1])
    print(as_text(findings), end="")
    return 1 if any(finding.level == FAULT for finding in findings) else 0


def _up(root: Path, environment: Environment, options: Namespace) -> int:
    return startup.up(root, environment, options.stack, options.force)


def parser() -> ArgumentParser:
    """Return the command line: one sub-command per verb, with its function in `on_project` or `on_checkout`."""
    whole = ArgumentParser(prog="switchyard.stack", description="Operate the Compose stacks.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, words: str, **run: Callable[..., int]) -> ArgumentParser:
        parser = verbs.add_parser(name, help=words, description=words)
        parser.set_defaults(**{"on_project": None, "on_checkout": None, **run})
        return parser

    verb("down", "stop the stack; volumes stay", on_project=_down)
    logs = verb("logs", "show the containers' logs, followed on a terminal", on_project=_logs)
    logs.add_argument("services", nargs="*", metavar="SERVICE")
    logs.add_argument("--tail", type=int, default=100, metavar="LINES", help="lines per container (default: 100)")
    logs.add_argument("--no-follow", action="store_true", help="do not follow")
    verb(
        "compose",
        "run docker compose on the files of the running stack: compose ARGS…",
        on_project=lambda project, options: project.show(*options.args),
    )
    words = "run a command with address and key of the running stack in its environment: cli PROGRAM ARGS…"
    verb("cli", words, on_checkout=lambda root, environment, options: cli.run(root, environment, options.args))
    shown = verb("status", "show containers, providers, policy, queues and faults", on_checkout=_status)
    shown.add_argument("--json", action="store_true", help="as JSON")
    verb("key", "print the admin key that the first start made", on_checkout=_key)
    words = "create, list and revoke API keys: keys create NAME, keys list, keys revoke ID"
    verb("keys", words, on_checkout=lambda root, environment, options: cli.keys(root, environment, options.args))
    made = verb("backup", "archive databases, vectors, originals, policy and keys", on_project=_backup)
    made.add_argument("--to", type=Path, default=Path("backups"), metavar="FOLDER", help="default: backups")
    restored = verb("restore", "restore an archive; the stack must be down", on_project=_restore)
    restored.add_argument("file", type=Path, nargs="?", metavar="FILE")
    restored.add_argument("--force", action="store_true", help="replace what the volumes hold")
    checked = verb("preflight", "check before a start whether the stack fits this machine", on_checkout=_preflight)
    checked.add_argument("stack", nargs="?", choices=STACKS, default="ollama", metavar="STACK")
    started = verb("up", "check, start, and wait until everything is healthy", on_checkout=_up)
    started.add_argument("stack", choices=STACKS, metavar="STACK", help=", ".join(STACKS))
    started.add_argument("--force", action="store_true", help="start despite faults that preflight finds")
    verb("pull", "fetch images and models again", on_project=lambda project, _: startup.pull(project))
    return whole


def main(argv: Sequence[str], root: Path, environment: Environment) -> int:
    """Run a verb and return its exit status; an error that stops it is printed on stderr."""
    options = parser().parse_args(argv[:1] if argv and argv[0] in _FORWARDED else argv)
    options.args = list(argv[1:])
    try:
        if options.on_checkout:
            return int(options.on_checkout(root, environment, options))
        return int(options.on_project(stacks.current(root, environment), options))
    except Stopped as error:
        todo = f"\n  -> {error.todo}" if error.todo else ""
        print(f"{error}{todo}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd(), os.environ))

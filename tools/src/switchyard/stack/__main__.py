"""`python3 -m switchyard.stack VERB`, run in the checkout's folder."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from switchyard.stack import commands
from switchyard.stack.errors import Stopped
from switchyard.stack.stacks import STACKS

_INTERRUPTED = 130
_COMPOSE, _CLI, _KEYS = _FORWARDED = ("compose", "cli", "keys")
Verb = Callable[[Path, Mapping[str, str], Namespace], int]


def parser() -> ArgumentParser:
    """Return the command line: one sub-command per verb, each with its function in `run`."""
    whole = ArgumentParser(prog="switchyard.stack", description="Operate the Compose stacks.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Verb, words: str) -> ArgumentParser:
        parser = verbs.add_parser(name, help=words, description=words)
        parser.set_defaults(run=run)
        return parser

    verb("down", commands.down, "stop the stack; volumes stay")
    logs = verb("logs", commands.logs, "show the containers' logs, followed on a terminal")
    logs.add_argument("services", nargs="*", metavar="SERVICE")
    logs.add_argument("--tail", type=int, default=100, metavar="LINES", help="lines per container (default: 100)")
    logs.add_argument("--no-follow", action="store_true", help="do not follow")
    verb(_COMPOSE, commands.compose, "run docker compose on the files of the running stack: compose ARGS…")
    verb(
        _CLI,
        commands.operate,
        "run a command with address and key of the running stack in its environment: cli PROGRAM ARGS…",
    )
    status = verb("status", commands.show_status, "show containers, providers, policy, queues and faults")
    status.add_argument("--json", action="store_true", help="as JSON")
    verb("key", commands.key, "print the first admin key")
    verb(_KEYS, commands.keys, "create, list and revoke API keys: keys create NAME, keys list, keys revoke ID")
    backup = verb("backup", commands.make_backup, "archive databases, vectors, originals, policy and keys")
    backup.add_argument("--to", type=Path, default=Path("backups"), metavar="FOLDER", help="default: backups")
    restore = verb("restore", commands.restore_backup, "restore an archive; the stack must be down")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--force", action="store_true", help="replace what the volumes hold")
    preflight = verb("preflight", commands.preflight, "check before a start whether the stack fits this machine")
    preflight.add_argument("stack", nargs="?", choices=STACKS, default="ollama", metavar="STACK")
    start = verb("up", commands.start, "check, start, and wait until everything is healthy")
    start.add_argument("stack", choices=STACKS, metavar="STACK", help=", ".join(STACKS))
    start.add_argument("--force", action="store_true", help="start despite faults that preflight finds")
    verb("pull", commands.fetch, "fetch images and models again")
    return whole


def main(argv: Sequence[str], root: Path, environment: Mapping[str, str]) -> int:
    """Run a verb and return its exit status; an error that stops it is printed on stderr."""
    # Arguments for another program: argparse would take those that begin with a dash.
    forwarded = bool(argv) and argv[0] in _FORWARDED
    options = parser().parse_args(argv[:1] if forwarded else argv)
    options.args = list(argv[1:])
    run: Verb = options.run
    try:
        return run(root, environment, options)
    except Stopped as error:
        todo = f"\n  -> {error.todo}" if error.todo else ""
        print(f"{error}{todo}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd(), os.environ))

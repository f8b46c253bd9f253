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
_COMPOSE, _CLI, _KEYS = _PASSED_ON = ("compose", "cli", "keys")
Verb = Callable[[Path, Mapping[str, str], Namespace], int]


def parser() -> ArgumentParser:
    """Return the command line: one sub-command per verb, each with its function in `run`."""
    whole = ArgumentParser(prog="switchyard.stack", description="Operate the Compose stacks.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Verb, words: str) -> ArgumentParser:
        made = verbs.add_parser(name, help=words, description=words)
        made.set_defaults(run=run)
        return made

    verb("down", commands.down, "stop the stack; volumes stay")
    logs = verb("logs", commands.logs, "show the containers' logs, followed on a terminal")
    logs.add_argument("services", nargs="*", metavar="SERVICE")
    logs.add_argument("--tail", type=int, default=100, metavar="LINES", help="lines per container (default: 100)")
    logs.add_argument("--no-follow", action="store_true", help="end with the last line")
    verb(_COMPOSE, commands.compose, "run docker compose on the files of the stack that runs: compose ARGS…")
    verb(_CLI, commands.operate, "run a command that is told address and key of the stack that runs: cli PROGRAM ARGS…")
    shown = verb("status", commands.show_status, "containers, providers, policy, queues, and what is not well")
    shown.add_argument("--json", action="store_true", help="for programs")
    verb("key", commands.key, "print the first admin key")
    verb(_KEYS, commands.keys, "make, list and revoke API keys: keys create NAME, keys list, keys revoke ID")
    kept = verb("backup", commands.make_backup, "archive databases, vectors, originals, policy and keys")
    kept.add_argument("--to", type=Path, default=Path("backups"), metavar="FOLDER", help="default: backups")
    back = verb("restore", commands.put_back, "put an archive back; the stack must be down")
    back.add_argument("file", type=Path, metavar="FILE")
    back.add_argument("--force", action="store_true", help="replace what the volumes hold")
    before = verb("preflight", commands.preflight, "say before a start whether the plan fits this machine")
    before.add_argument("stack", nargs="?", choices=STACKS, default="ollama", metavar="STACK")
    begun = verb("up", commands.start, "check, start and wait until all is healthy")
    begun.add_argument("stack", choices=STACKS, metavar="STACK", help=", ".join(STACKS))
    begun.add_argument("--force", action="store_true", help="start in spite of faults that preflight finds")
    verb("pull", commands.fetch, "fetch images and models again")
    return whole


def main(argv: Sequence[str], root: Path, environment: Mapping[str, str]) -> int:
    """Run a verb and return its exit status; what stops it is told on stderr."""
    # Another program's arguments are its own: argparse would take those that begin with a dash.
    passed_on = bool(argv) and argv[0] in _PASSED_ON
    given = parser().parse_args(argv[:1] if passed_on else argv)
    given.args = list(argv[1:])
    run: Verb = given.run
    try:
        return run(root, environment, given)
    except Stopped as error:
        todo = f"\n  -> {error.todo}" if error.todo else ""
        print(f"{error}{todo}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd(), os.environ))

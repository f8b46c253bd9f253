"""Play the drill, print the table, and exit non-zero if a line was missed: `python -m drill [--only scripted|real|exchange]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path

from rich.console import Console

from drill import exchange, real, scripted
from drill.processes import Process
from drill.stack import stack
from drill.table import Line, show
from engines.real_vllm import VLLMServer, install, smollm_server, text_server

console = Console(width=None if sys.stdout.isatty() else 160)


async def printed(line: Awaitable[Line]) -> Line:
    """Say what came of a line as soon as it is known; one that breaks off is missed, with the reason."""
    try:
        done = await line
    except Exception as error:  # the other lines are worth seeing all the same
        console.print_exception(max_frames=6)
        done = Line(
            getattr(line, "__name__", "a line"), "to be played to its end", f"{type(error).__name__}: {error}", False
        )
    console.print(f"  {'held' if done.held else 'MISSED'}: {done.what}: {done.measured}", highlight=False, markup=False)
    return done


async def with_real(folder: Path) -> list[Line]:
    """vLLM is real; it dies three times and is started again each time."""
    server = text_server(install())
    lines = []
    with server, stack(folder, server) as running:
        lines.append(await printed(real.switching(running)))
        for how in real.DEATHS:
            lines.append(await printed(real.dying(running, server, how)))
            server.stop()
            lines.append(await printed(real.returning(running, server)))
    return lines


async def with_exchange(folder: Path) -> list[Line]:
    """Two real vLLM servers with two models; the second is added while everything runs."""
    installation = install()
    first = text_server(installation)
    with first, smollm_server(installation) as successor:
        async with exchange.all_in_one(folder, first) as stack:
            lines = [await printed(exchange.migrating(stack, successor))]
            successor.stop()
            newer = VLLMServer(installation, first.model, first.served_as, first.arguments)
            try:
                lines.append(await printed(exchange.upgrading(stack, first, newer)))
            finally:
                newer.stop()
    return lines


async def with_scripted(folder: Path) -> list[Line]:
    """Both engines are scripted, so that a fault comes when it is wanted."""
    with stack(folder, None, replicas=3) as running:
        alone = running if len(running.replicas) == 1 else _first(running)
        vllm = running.vllm
        assert isinstance(vllm, Process)
        return [
            await printed(scripted.failing_candidate(alone, vllm)),
            await printed(scripted.slow_candidate(alone, vllm)),
            await printed(scripted.truncating_candidate(alone, vllm)),
            await printed(scripted.broken_json_candidate(alone, vllm)),
            await printed(scripted.rollback(alone, vllm)),
            await printed(scripted.hanging_shadow(alone, vllm)),
            await printed(scripted.other_vectors(alone)),
            await printed(scripted.replicas(running)),
            await printed(scripted.both_dead(alone, vllm)),
        ]


def _first(running: scripted.Stack) -> scripted.Stack:
    """The same stack, its users on one replica only."""
    return scripted.Stack(running.folder, running.ollama, running.vllm, running.replicas[:1], running.others)


PARTS = {"scripted": with_scripted, "real": with_real, "exchange": with_exchange}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(PARTS), help="play one part")
    only = parser.parse_args().only
    lines: list[Line] = []
    for name, play in PARTS.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                lines += asyncio.run(play(Path(folder)))
    sys.exit(0 if show(console, lines) else 1)


if __name__ == "__main__":
    main()

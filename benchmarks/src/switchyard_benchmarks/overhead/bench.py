"""The measurements, each against its own baseline in the same run."""

from __future__ import annotations

import asyncio
import math
import socket
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from switchyard_benchmarks.overhead.engine import FIRST_SECONDS, MODEL, TOKEN_SECONDS, TOKENS
from switchyard_benchmarks.overhead.streams import Ask, Stream, package, wire
from switchyard_benchmarks.processes import KEY, chat_count, engine, process, rag_service, set_mode

LEVELS = (1, 16, 64)
LIMITS: dict[str, dict[int, int]] = {"package": {1: 2, 16: 5, 64: 15}, "service": {1: 5, 16: 15, 64: 60}}
PEER: dict[str, dict[int, float]] = {"package": {1: 4.5, 16: 36, 64: 134}, "service": {1: 12, 16: 118, 64: 634}}
"""Milliseconds: what the best-known gateway added in the same kind of run, in process and as a proxy."""
THROUGHPUT = {"package": (0.95, 0.51), "service": (0.85, 0.29)}
_HANG_SECONDS = 2.0
_KILLED_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Block:
    """One path under one load: median seconds to the first token, streams a second, failures."""

    first: float
    rate: float
    failed: int


async def run(console: Console, rounds: int, seconds: float) -> None:
    """Measure everything and print two tables; `rounds` interleaved blocks of `seconds` per path and level."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(engine(_port()))
        service = stack.enter_context(rag_service(_port(), folder / "service", url))
        ways = {
            "direct": await stack.enter_async_context(wire(url, MODEL)),
            "package": await stack.enter_async_context(package(_fresh(folder), url)),
            "service": await stack.enter_async_context(wire(service, "switchyard/direct", KEY)),
        }
        for ask in ways.values():
            await asyncio.gather(*[ask() for _ in range(8)])
        blocks: dict[tuple[str, int], list[Block]] = {}
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("streams", total=rounds * len(LEVELS) * len(ways))
            for _ in range(rounds):
                for level in LEVELS:
                    for name, ask in ways.items():
                        blocks.setdefault((name, level), []).append(await _block(ask, level, seconds))
                        progress.advance(bar)
        console.print(_added(blocks))
        console.print(await _failures(folder))


async def _block(ask: Ask, level: int, seconds: float) -> Block:
    """Keep `level` streams open for a while; their starts are spread over the length of one stream."""
    length, results = FIRST_SECONDS + TOKENS * TOKEN_SECONDS, list[Stream]()
    begun = perf_counter()
    end = begun + max(seconds, 2 * length)

    async def user(number: int) -> None:
        await asyncio.sleep(length * number / level)
        while perf_counter() < end:
            results.append(await ask())

    await asyncio.gather(*[user(number) for number in range(level)])
    complete = [stream for stream in results if not stream.error]
    # Little's law: each user asks again immediately, so that `level` streams of the mean length are always open.
    rate = level / statistics.mean(stream.total for stream in complete) if complete else 0.0
    first = statistics.median(stream.first for stream in complete) if complete else math.inf
    return Block(first, rate, len(results) - len(complete))


def _added(blocks: dict[tuple[str, int], list[Block]]) -> Table:
    table = Table("what", "1 stream", "16", "64", "must be", "best-known peer", title="Added by the stack")
    for name, words in (("package", "provider package in process"), ("service", "through rag-service over HTTP")):
        added = {
            level: statistics.median(
                ours.first - theirs.first
                for ours, theirs in zip(blocks[name, level], blocks["direct", level], strict=True)
            )
            for level in LEVELS
        }
        table.add_row(
            f"first token, p50, {words}",
            *(f"{added[level] * 1000:.1f} ms" for level in LEVELS),
            " / ".join(f"{LIMITS[name][level]}" for level in LEVELS) + " ms",
            " / ".join(f"{PEER[name][level]:g}" for level in LEVELS) + " ms",
        )
        ratios = [
            statistics.median(
                ours.rate / theirs.rate
                for ours, theirs in zip(blocks[name, level], blocks["direct", level], strict=True)
            )
            for level in LEVELS
        ]
        least, peer = THROUGHPUT[name]
        table.add_row(
            f"throughput against direct, {words}", *(f"{ratio:.3f}" for ratio in ratios), f"≥ {least} at 64", f"{peer}"
        )
    failed = sum(block.failed for each in blocks.values() for block in each)
    table.add_row("failed streams", str(failed), "", "", "0", "")
    return table


async def _failures(folder: Path) -> Table:
    """What a user notices when the primary refuses, hangs or dies and an equally fast fallback is healthy."""
    table = Table("primary", "measured", "must be", "best-known peer", title="With a fallback")
    port = _port()
    with engine(_port()) as fallback_url:
        fallback = fallback_url.removesuffix("/v1")
        with engine(port) as primary:
            unused = f"http://127.0.0.1:{_port()}/v1"
            for what, url, mode in (
                ("refuses the connection", unused, "ok"),
                ("answers 503", primary, "refuse"),
                ("answers 429, Retry-After 5", primary, "limit"),
            ):
                set_mode(primary, mode)
                table.add_row(what, *await _refusing(folder, url, fallback))
            table.add_row("hangs", *await _hanging(folder, primary, fallback))
        table.add_row("is killed under load, and started again", *await _killed(folder, port, fallback))
    return table


async def _refusing(folder: Path, primary: str, fallback: str) -> Sequence[str]:
    """Compare the first token with that of the fallback alone, in turn; the circuit breaker is disabled."""
    async with (
        package(_fresh(folder), primary, fallback, breaker_failures=10_000) as failing,
        package(_fresh(folder), None, fallback) as healthy,
    ):
        await asyncio.gather(failing(), healthy())
        added = [(await failing()).first - (await healthy()).first for _ in range(15)]
    return f"first token {statistics.median(added) * 1000:.1f} ms later", "≤ 10 ms", "13-18 ms; 4.8 s by default"


async def _hanging(folder: Path, primary: str, fallback: str) -> Sequence[str]:
    set_mode(primary, "hang")
    async with package(_fresh(folder), primary, fallback, first_token_timeout=_HANG_SECONDS) as ask:
        streams = [await ask() for _ in range(8)]
    paid = sum(stream.first > _HANG_SECONDS for stream in streams)
    whole = sum(not stream.error for stream in streams)
    return (
        f"{paid} of {len(streams)} paid the time-out, {whole} answered",
        "1, then the breaker is open",
        "every request",
    )


async def _killed(folder: Path, port: int, fallback: str) -> Sequence[str]:
    """Send 200 requests, 16 at a time; the primary is killed after 50 and started again after 120."""
    results: list[Stream] = []
    url = f"http://127.0.0.1:{port}/v1"
    async with package(_fresh(folder), url, fallback) as ask:

        async def user() -> None:
            while len(results) < _KILLED_REQUESTS:
                results.append(await ask())

        with ExitStack() as first:
            killed = first.enter_context(process("switchyard_benchmarks.overhead.engine", port, "/health", str(port)))
            users = [asyncio.create_task(user()) for _ in range(16)]
            await _until(lambda: len(results) >= 50)
            killed.kill()
        await _until(lambda: len(results) >= 120)
        with engine(port):
            await asyncio.gather(*users)
            # The users finish within seconds; the circuit breaker probes every five.
            await asyncio.wait_for(_until(lambda: chat_count(url) > 0), 15)
    failed = sum(bool(stream.error) for stream in results)
    return f"{failed} of {len(results)} failed", "0", "16 of 200"


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.02)


def _fresh(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder)) / "policy.json"


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

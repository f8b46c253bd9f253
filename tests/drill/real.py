"""What is shown with a real vLLM: switching, dying in three ways, and coming back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from math import inf
from time import monotonic

import aiohttp

from drill.stack import Stack
from drill.table import Line
from drill.users import Seen, crowd, faults
from engines.answers import numbered
from engines.real_vllm import VLLMServer
from llm_providers.percentile import percentile

USERS = 32
LONG = 2400
"""Tokens of an answer that is killed: long enough to be in its middle when all the others have begun."""


async def switching(stack: Stack) -> Line:
    """Ten switches under load: nobody notices, and the last request on the old backend begins within a second."""
    late: list[float] = []
    async with crowd(stack.urls, USERS) as people:
        await asyncio.sleep(3)
        for turn in range(10):
            backend, other = ("vllm", "ollama") if turn % 2 == 0 else ("ollama", "vllm")
            at = await stack.policy(f"use {backend}", stable=backend, fallbacks=[other])
            await asyncio.sleep(3)
            begun = [seen.started - at for seen in people.answers if seen.backend == other and seen.started > at - 1]
            late.append(max([0.0, *begun]))
    failed, torn = faults(people.answers)
    return Line(
        f"use-vllm / use-ollama ten times under {USERS} streaming users",
        "0 failed, 0 torn, effective ≤ 1 s",
        f"{failed} failed, {torn} torn of {len(people.answers)}, last on the old backend {max(late):.2f} s after",
        failed == 0 and torn == 0 and max(late) <= 1 and len({seen.backend for seen in people.answers}) == 2,
    )


def _kill(server: VLLMServer) -> None:
    server.send(signal.SIGKILL)


def _terminate(server: VLLMServer) -> None:
    server.send(signal.SIGTERM)


def _kill_core(server: VLLMServer) -> None:
    from drill.processes import engine_core

    os.kill(engine_core(server), signal.SIGKILL)


DEATHS: dict[str, Callable[[VLLMServer], None]] = {
    "kill -9": _kill,
    "SIGTERM": _terminate,
    "engine core killed, API alive": _kill_core,
}


async def dying(stack: Stack, server: VLLMServer, how: str) -> Line:
    """vLLM dies while every user reads: Ollama goes on with each answer."""
    own = await _own_first_token(stack)
    await stack.policy(f"before {how}", stable="vllm", fallbacks=["ollama"], on_break="continue")
    async with crowd(stack.urls, USERS, LONG) as people:
        # Who is done before the last has begun asks again.
        await people.until(lambda: len([seen for seen in people.reading if len(seen.pieces) > 5]) == USERS)
        at, hit = monotonic(), people.reading
        DEATHS[how](server)
    waits = [wait for seen in hit for wait in _waits(seen, at)]
    prefixes = {
        request["body"]["messages"][-1]["content"]
        for request in await stack.requests(stack.ollama, "/api/chat")
        if request["body"]["messages"][-1]["role"] == "assistant"
    }
    wrong = [fault for seen in hit if (fault := _seam_fault(seen, prefixes))]
    whole = sum(not seen.failed and not seen.torn for seen in hit)
    over = sum(len(seen.failovers) == 1 for seen in hit)
    p95 = percentile(waits or [inf], 95)
    limit = 0.5 + own
    return Line(
        f"vLLM {how} while {USERS} answers stream, policy continue",
        f"{USERS} complete, one terminal event each, 0 repeated or missing characters; "
        "death to next token p95 ≤ 0.5 s + the other's first token",
        f"{whole} complete, {over} of them by failover, {len(wrong)} bad seams{_example(wrong)}; "
        f"p95 {p95:.2f} s (limit 0.5 + {own:.2f} s)",
        whole == USERS and over == USERS and not wrong and p95 <= limit,
    )


async def returning(stack: Stack, server: VLLMServer) -> Line:
    """A restarted vLLM is found by its breaker's own probe, not at a user's expense."""
    async with crowd(stack.urls, 4) as people:
        await asyncio.to_thread(server.start)
        ready = monotonic()
        used = asyncio.get_running_loop().time
        begun = used()
        while not any(seen.backend == "vllm" and seen.started > ready for seen in people.answers):
            await asyncio.sleep(0.05)
            if used() - begun > 60:
                break
    first = min((seen.started - ready for seen in people.answers if seen.backend == "vllm"), default=float("inf"))
    failed, torn = faults(people.answers)
    return Line(
        "vLLM comes back",
        "used again ≤ 10 s after it is ready, 0 failed",
        f"used {max(first, 0.0):.1f} s after it was ready, {failed} failed, {torn} torn of {len(people.answers)}",
        first <= 10 and failed == 0 and torn == 0,
    )


async def _own_first_token(stack: Stack) -> float:
    """How long the scripted engine itself takes to its first token when all ask at once, p95 in seconds."""
    body = {"model": "llama3.2", "messages": [{"role": "user", "content": "When?"}], "stream": True}

    async def first(session: aiohttp.ClientSession) -> float:
        begun = monotonic()
        async with session.post(f"{stack.ollama.url}/api/chat", json=body) as answer:
            await answer.content.readline()
            return monotonic() - begun

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return percentile(list(await asyncio.gather(*[first(session) for _ in range(USERS)])), 95)


def _waits(seen: Seen, at: float) -> list[float]:
    if not seen.failovers or seen.failovers[0][0] >= len(seen.pieces):
        return []
    return [seen.pieces[seen.failovers[0][0]][0] - at]


def _seam_fault(seen: Seen, prefixes: set[str]) -> str:
    """What is wrong where one backend took over from the other; "" if nothing is.

    The second tells the numbered words from the first one on, so that one that is missing or comes twice can be seen.
    """
    if len(seen.failovers) != 1:
        return f"{len(seen.failovers)} failovers"
    place = seen.failovers[0][0]
    before = "".join(text for _, text in seen.pieces[:place])
    after = "".join(text for _, text in seen.pieces[place:])
    if before.rstrip() not in prefixes:
        return f"asked to go on from something else than the reader had: …{before[-20:]!r}"
    whole = numbered(10_000)("")
    if not after or not whole.startswith(after.rstrip()):
        return f"goes on with {after[:30]!r}"
    return ""


def _example(wrong: list[str]) -> str:
    return f" ({wrong[0]})" if wrong else ""

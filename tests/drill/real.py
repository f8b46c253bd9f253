"""Drills with a real vLLM: switches, three kinds of death, and recovery."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from math import inf
from time import monotonic

import aiohttp

from drill.pauses import Pauses
from drill.stack import Stack
from drill.table import Line
from drill.users import Answer, concurrent_users, count_failures
from engines.answers import numbered
from engines.real_vllm import VLLMServer
from llm_providers.percentile import percentile

USERS = 32
LONG = 2400
"""Tokens of an answer that is killed: long enough to be in its middle when all the others have begun."""


async def switching(stack: Stack) -> Line:
    """Ten switches under load: no request fails, and the last one to the old backend begins within a second."""
    late: list[float] = []
    async with concurrent_users(stack.urls, USERS) as users:
        await asyncio.sleep(3)
        for turn in range(10):
            backend, other = ("vllm", "ollama") if turn % 2 == 0 else ("ollama", "vllm")
            at = await stack.policy(f"use {backend}", stable=backend, fallbacks=[other])
            await asyncio.sleep(3)
            begun = [
                answer.started - at for answer in users.answers if answer.backend == other and answer.started > at - 1
            ]
            late.append(max([0.0, *begun]))
    failed, corrupt = count_failures(users.answers)
    return Line(
        f"use-vllm / use-ollama ten times under {USERS} streaming users",
        "0 failed, 0 corrupt, effective ≤ 1 s",
        f"{failed} failed, {corrupt} corrupt of {len(users.answers)}, last on the old backend {max(late):.2f} s after",
        failed == 0 and corrupt == 0 and max(late) <= 1 and len({answer.backend for answer in users.answers}) == 2,
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
    """vLLM dies while every user reads: Ollama continues each answer."""
    own = await _own_first_token(stack)
    await stack.policy(f"before {how}", stable="vllm", fallbacks=["ollama"], on_break="continue")
    with Pauses() as pauses:
        async with concurrent_users(stack.urls, USERS, LONG) as users:
            # Who is done before the last has begun asks again.
            await users.until(lambda: len([answer for answer in users.reading if len(answer.pieces) > 5]) == USERS)
            at, hit = monotonic(), users.reading
            DEATHS[how](server)
    waits = [wait - pauses.within(at, at + wait) for answer in hit for wait in _waits(answer, at)]
    prefixes = {
        request["body"]["messages"][-1]["content"]
        for request in await stack.requests(stack.ollama, "/api/chat")
        if request["body"]["messages"][-1]["role"] == "assistant"
    }
    whole = sum(not answer.failed and not answer.corrupt for answer in hit)
    # A few may be at their end in the moment of the death.
    finished = [answer for answer in hit if answer.backend == "vllm" and not answer.failovers]
    broken = [answer for answer in hit if answer not in finished]
    wrong = [fault for answer in broken if (fault := _seam_fault(answer, prefixes))]
    over = sum(len(answer.failovers) == 1 for answer in hit)
    p95 = percentile(waits or [inf], 95)
    limit = 0.5 + own
    return Line(
        f"vLLM {how} while {USERS} answers stream, policy continue",
        f"{USERS} complete, one terminal event each, 0 repeated or missing characters; "
        "death to next token p95 ≤ 0.5 s + the other's first token",
        f"{whole} complete, {over} of them by failover, {len(wrong)} bad seams{_example(wrong)}{_ends(hit)}; "
        f"p95 {p95:.2f} s (limit 0.5 + {own:.2f} s){pauses}",
        whole == USERS and over == len(broken) and len(finished) <= 2 and not wrong and p95 <= limit,
    )


async def returning(stack: Stack, server: VLLMServer) -> Line:
    """A restarted vLLM is found by the breaker's own probe, not by a user's request."""
    async with concurrent_users(stack.urls, 4) as users:
        await asyncio.to_thread(server.start)
        ready = monotonic()
        used = asyncio.get_running_loop().time
        begun = used()
        while not any(answer.backend == "vllm" and answer.started > ready for answer in users.answers):
            await asyncio.sleep(0.05)
            if used() - begun > 60:
                break
    first = min((answer.started - ready for answer in users.answers if answer.backend == "vllm"), default=float("inf"))
    failed, corrupt = count_failures(users.answers)
    return Line(
        "vLLM comes back",
        "used again ≤ 10 s after it is ready, 0 failed",
        f"used {max(first, 0.0):.1f} s after it was ready, {failed} failed, {corrupt} corrupt of {len(users.answers)}",
        first <= 10 and failed == 0 and corrupt == 0,
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


def _waits(answer: Answer, at: float) -> list[float]:
    if not answer.failovers or answer.failovers[0][0] >= len(answer.pieces):
        return []
    return [answer.pieces[answer.failovers[0][0]][0] - at]


def _seam_fault(answer: Answer, prefixes: set[str]) -> str:
    """What is wrong where one backend took over from the other; "" if nothing is.

    The second says the numbered words from the first one on, so that one that is missing or comes twice can be seen. The
    reader may still wait for the last characters of what it was given, while they look like the word for "no answer".
    """
    if len(answer.failovers) != 1:
        return f"{len(answer.failovers)} failovers"
    before = "".join(text for _, text in answer.pieces[: answer.failovers[0][0]]).strip()
    whole, text = numbered(10_000)(""), answer.text.strip()
    continued = [prefix.strip() for prefix in prefixes if prefix.strip().startswith(before)]
    rests = [text[len(prefix) :].strip() for prefix in continued if text.startswith(prefix)]
    if not rests:
        return f"continued from another text than the reader had: …{before[-20:]!r}"
    if not any(rest and whole.startswith(rest) for rest in rests):
        return f"goes on with {rests[0][:30]!r}"
    return ""


def _ends(hit: list[Answer]) -> str:
    """How answers without a failover ended: by which backend, and why."""
    alone = Counter(f"{answer.backend} {answer.done.get('finish_reason')}" for answer in hit if not answer.failovers)
    return "".join(f", {count} ended by {how}" for how, count in alone.items())


def _example(wrong: list[str]) -> str:
    return f" ({wrong[0]})" if wrong else ""

"""Drills with scripted engines that fail on request."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from statistics import median
from time import monotonic
from typing import Any

import aiohttp

from drill.processes import HEADERS, Process
from drill.stack import Stack
from drill.table import Line
from drill.users import Users, concurrent_users, count_failures
from llm_providers.percentile import percentile

CHAT = "/chat/completions"
GATES = {"min_requests": 20, "max_p95_seconds": 2.0, "max_first_token_p95_seconds": 10.0, "window_seconds": 60}


async def failing_candidate(stack: Stack, vllm: Process) -> Line:
    """One in five requests of the candidate is answered 503: the canary is gone before users could have noticed."""
    await stack.script(vllm, {"kind": "status", "status": 503}, CHAT, every=5)
    await stack.policy("canary", stable="ollama", candidate="vllm", canary_percent=50, gates=GATES)
    async with concurrent_users(stack.urls, 16) as users:
        gate, why = await _stopped(stack)
    bad = sum(request["outcome"] == "status" for request in await stack.requests(vllm, CHAT))
    await stack.script(vllm, None)
    failed, corrupt = count_failures(users.answers)
    return Line(
        "candidate answers 503 to 20 %",
        "canary back at 0 by itself before 30 of its requests failed; users saw 0 errors",
        f"{gate} after {bad} failed requests; users saw {failed} errors, {corrupt} corrupt of {len(users.answers)}. {why}",
        gate == "error_rate" and 0 < bad < 30 and failed == 0 and corrupt == 0,
    )


async def slow_candidate(stack: Stack, vllm: Process) -> Line:
    await stack.script(vllm, {"kind": "slow", "seconds": 2.5}, CHAT)
    return await _gated(stack, vllm, "candidate is slow", "p95_seconds")


async def truncating_candidate(stack: Stack, vllm: Process) -> Line:
    await stack.script(vllm, {"kind": "short", "amount": 3}, CHAT)
    return await _gated(stack, vllm, "candidate truncates", "unusable_rate")


async def _gated(stack: Stack, vllm: Process, what: str, wanted: str) -> Line:
    await stack.policy("canary", stable="ollama", candidate="vllm", canary_percent=50, gates=GATES)
    async with concurrent_users(stack.urls, 16, max_tokens=200) as users:
        gate, why = await _stopped(stack)
    await stack.script(vllm, None)
    failed, corrupt = count_failures(users.answers)
    return Line(
        what,
        f"trips its own gate ({wanted})",
        f"{gate}: {why}; users saw {failed} errors, {corrupt} corrupt",
        gate == wanted and failed == 0 and corrupt == 0,
    )


async def broken_json_candidate(stack: Stack, vllm: Process) -> Line:
    """Notes are JSON: the candidate breaks it off in the middle, and the stable backend makes the note all the same."""
    notes = stack.others["notes"]
    await stack.script(vllm, {"kind": "broken_json"}, CHAT)
    await stack.policy("canary", stable="ollama", candidate="vllm", canary_percent=100, gates=GATES)
    await _followed([notes], (await stack.view())["revision"])

    def make(number: int) -> str:
        text = f"Meeting {number}. Ada will send the offer by Friday. It was decided to buy the pump."
        return str(notes.call("POST", "/v1/notes", json={"text": text, "kind": "meeting"})["job_id"])

    jobs: list[str] = []
    while (await stack.view())["policy"]["roles"]["text"]["canary_percent"] and len(jobs) < 60:
        jobs += await asyncio.gather(*[asyncio.to_thread(make, len(jobs) + n) for n in range(4)])
        await _jobs_done(notes, jobs[-4:])
    gate, why = await _stopped(stack, notes)
    await stack.script(vllm, None)
    ended = [await asyncio.to_thread(notes.call, "GET", f"/v1/jobs/{job}") for job in jobs]
    failed = [job for job in ended if job["status"] != "ready"]
    return Line(
        "candidate answers broken JSON",
        "trips its own gate (invalid_json_rate)",
        f"{gate}: {why}; {len(failed)} of {len(jobs)} notes failed",
        gate == "invalid_json_rate" and not failed and len(jobs) > 0,
    )


async def rollback(stack: Stack, vllm: Process) -> Line:
    await stack.policy("canary", stable="ollama", candidate="vllm", canary_percent=50, gates=GATES)
    async with concurrent_users(stack.urls, 16) as users:
        await users.until(lambda: sum(answer.backend == "vllm" for answer in users.answers) > 20)
        at = await stack.policy("rollback", stable="ollama", candidate="vllm")
        await asyncio.sleep(3)
    # Both clocks are the machine's.
    last = max(request["at"] for request in await stack.requests(vllm, CHAT)) - at
    failed, corrupt = count_failures(users.answers)
    return Line(
        "rollback by command",
        "last request on the candidate starts ≤ 1 s later",
        f"{max(last, 0.0):.3f} s later; {failed} failed, {corrupt} corrupt of {len(users.answers)}",
        last <= 1 and failed == 0 and corrupt == 0,
    )


async def hanging_shadow(stack: Stack, vllm: Process) -> Line:
    """Blocks with the shadow off and on in turn, each pair compared by itself: whatever else the machine does hits both."""
    await stack.script(vllm, {"kind": "hang", "after": 0}, CHAT)
    p95: dict[bool, list[float]] = {True: [], False: []}
    failed = 0
    for block in range(14):
        on = block % 2 == 1
        shadow = {"candidate": "vllm", "shadow_percent": 100} if on else {}
        await stack.policy(f"shadow {on}", stable="ollama", **shadow)
        users = Users(stack.urls, 4, 60)
        await users.run(rounds=6)
        failed += count_failures(users.answers)[0]
        p95[on].append(percentile([answer.seconds for answer in users.answers], 95))
    report = (await stack.view())["shadow"]["text"]
    await stack.script(vllm, None)
    ratio = median(on / off for on, off in zip(p95[True], p95[False], strict=True))
    return Line(
        "shadow at 100 % of a candidate that hangs",
        "user latency p95 within 5 % of shadow off",
        f"p95 {median(p95[True]):.3f} s on, {median(p95[False]):.3f} s off, median of {len(p95[True])} pairs "
        f"{(ratio - 1) * 100:+.1f} %; "
        f"{report['sampled']} sampled in the last block, {failed} failed",
        ratio <= 1.05 and failed == 0 and report["sampled"] > 0,
    )


async def other_vectors(stack: Stack) -> Line:
    """The embedding model behind the URL becomes another one, of the same name and dimension."""
    await stack.policy("plain", stable="ollama")
    before = await _stored(stack)
    await stack.script(stack.ollama, {"kind": "other_vectors", "amount": 7}, "/api/embed")
    job = await stack.add("The lighthouse keeper wrote the weather into his book. " * 20, "Keeper")
    mixed, degraded = 0, 0
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for _ in range(20):
            async with session.post(f"{stack.rag.url}/v1/search", json={"question": "When does the ferry leave?"}) as a:
                found = await a.json()
                degraded += "embeddings" in found.get("degraded", []) and bool(found["items"])
                mixed += "embeddings" not in found.get("degraded", [])
            await asyncio.sleep(0.1)
    waiting = await stack.job(job)
    written = await _stored(stack) - before
    await stack.script(stack.ollama, None)
    resumed = await stack.ready(job)
    return Line(
        "embeddings backend replaced by one with other vectors of the same dimension",
        "0 vectors written, 0 queries mixed, degraded answers by keyword",
        f"{written} vectors written, {mixed} of 20 queries mixed, {degraded} by keyword; the document waited "
        f"({waiting['status']}) and was {resumed['status']} once the model was back",
        written == 0
        and mixed == 0
        and degraded == 20
        and waiting["status"] == "running"
        and resumed["status"] == "ready"
        and await _stored(stack) > before,
    )


async def replicas(stack: Stack) -> Line:
    """One file, three replicas: a switch by command, and a canary that all three judge at once."""
    revision = (await stack.view())["revision"]
    at = await stack.policy("use vllm", stable="vllm", fallbacks=["ollama"])
    took = await _followed(stack.replicas, revision + 1) - at
    assert isinstance(stack.vllm, Process)
    await stack.policy("use ollama", stable="ollama", fallbacks=["vllm"])
    await stack.script(stack.vllm, {"kind": "status", "status": 503}, CHAT)
    await stack.policy("canary", stable="ollama", candidate="vllm", canary_percent=90, gates=GATES)
    async with concurrent_users(stack.urls, 30) as users:
        gate, _ = await _stopped(stack)
        await asyncio.sleep(2)
    await stack.script(stack.vllm, None)
    rows = (await asyncio.to_thread(stack.rag.call, "GET", "/v1/providers/audit?limit=50"))["items"]
    written = {number: [row["revision"] for row in rows].count(number) for number in {row["revision"] for row in rows}}
    mine = [row for row in rows if row["revision"] == revision + 1]
    gates = [row for row in rows if row["by"] == "gate" and row["revision"] > revision]
    failed, corrupt = count_failures(users.answers)
    return Line(
        f"{len(stack.replicas)} replicas of rag-service, one policy file",
        "all switch within 1 s; one audit row",
        f"all after {took:.2f} s, {len(mine)} audit row; a tripped gate of all three: {len(gates)} row ({gate}), "
        f"{failed} failed, {corrupt} corrupt of {len(users.answers)}",
        took <= 1
        and len(mine) == 1
        and len(gates) == 1
        and set(written.values()) == {1}
        and failed == 0
        and corrupt == 0,
    )


async def both_dead(stack: Stack, vllm: Process) -> Line:
    """Nothing to fall back to: said in time, said how long to wait, and over as soon as an engine is back."""
    await stack.policy("both", stable="vllm", fallbacks=["ollama"])
    for process in (vllm, stack.ollama):
        process.stop()
    answers: list[tuple[int, str | None, float, str]] = []
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def ask() -> tuple[int, str | None, float, str]:
            begun = monotonic()
            async with session.post(f"{stack.rag.url}/v1/query", json={"question": "When does the ferry leave?"}) as a:
                kind = (await a.json()).get("type", "")
                return a.status, a.headers.get("Retry-After"), monotonic() - begun, kind

        for _ in range(2):
            answers += await asyncio.gather(*[ask() for _ in range(8)])
        for process in (vllm, stack.ollama):
            await asyncio.to_thread(process.start)
        back, begun = float("inf"), monotonic()
        while monotonic() - begun < 60:
            if (await ask())[0] == 200:
                back = monotonic() - begun
                break
            await asyncio.sleep(0.2)
    refused = sum(status == 503 and bool(wait) and kind.startswith("urn:") for status, wait, _, kind in answers)
    longest = max(seconds for _, _, seconds, _ in answers)
    return Line(
        "both engines dead",
        "503 problem detail with Retry-After within the deadline; recovery without restart",
        f"{refused} of {len(answers)} so, the slowest after {longest:.1f} s; answers again {back:.1f} s after they were back",
        refused == len(answers) and longest < 30 and back < 30,
    )


async def _stored(stack: Stack) -> int:
    """How many vectors have ever been written, counted in Chroma's own files."""
    files = stack.folder / stack.rag.name / "chroma" / "chroma.sqlite3"
    with closing(sqlite3.connect(f"file:{files}?mode=ro", uri=True)) as database:
        (count,) = database.execute("SELECT count(*) FROM embeddings").fetchone()
    return int(count)


async def _stopped(stack: Stack, judge: Process | None = None) -> tuple[str, str]:
    """Wait until the canary is at 0, and return the gate that did it, and its words."""
    try:
        async with asyncio.timeout(90):
            while (shown := await stack.view())["policy"]["roles"]["text"]["canary_percent"]:
                await asyncio.sleep(0.05)
    except TimeoutError:
        return "no gate", "the canary is still there"
    for process in [judge] if judge else stack.replicas:
        tripped = (await asyncio.to_thread(process.call, "GET", "/v1/providers"))["canary"]["text"]
        if tripped and tripped["tripped"]:
            return ", ".join(trip["gate"] for trip in tripped["tripped"]), shown["changed"]["why"]
    return "not by a gate", shown["changed"]["why"]


async def _followed(processes: list[Process], revision: int) -> float:
    """Return the moment at which all of them had the revision."""

    async def follows(process: Process) -> float:
        async with asyncio.timeout(10):
            while True:
                health: dict[str, Any] = await asyncio.to_thread(process.call, "GET", "/health")
                if health["policy_revision"] >= revision:
                    return monotonic()
                await asyncio.sleep(0.02)

    return max(await asyncio.gather(*[follows(process) for process in processes]))


async def _jobs_done(service: Process, jobs: list[str]) -> None:
    for job in jobs:
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(service.call, "GET", f"/v1/jobs/{job}"))["status"] in ("queued", "running"):
                await asyncio.sleep(0.1)

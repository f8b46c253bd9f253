"""Requests that the candidate answers too, after the user has had the answer; no user waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import random
from statistics import median
from time import monotonic
from typing import Any

from llm_providers.base import ChatWrapper, LLMProvider
from llm_providers.completion import Completion
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.grounding import NO_ANSWER
from llm_providers.routing.canary import json_valid, labels
from llm_providers.routing.monitor import outcome_of
from llm_providers.routing.trial import mean
from llm_providers.types import ChatEvent, ChatRequest, Done, Started, Vectors

_WAITING = 64
_WORKERS = 2
_REMEMBERED = 1000

Embed = Callable[[Sequence[str]], Awaitable[Vectors]]
Store = Callable[["Comparison"], Awaitable[None]]
OnShadow = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """What was measured of one backend's answer; its text is not kept."""

    backend: str
    model: str
    tokens: int
    seconds: float
    first_token_seconds: float | None
    characters: int
    refused: bool
    json_valid: bool | None
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both answers to one request; `citation_overlap` and `similarity` between 0 and 1, None where there is nothing to compare."""

    at: str
    stable: Side
    candidate: Side | None
    error: str | None = None
    citation_overlap: float | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    side: Side
    text: str


class Shadow(ChatWrapper):
    """Passes answers on as they are, and submits a share of the requests to the runner when their answers are whole."""

    def __init__(self, provider: LLMProvider, percent: float, runner: ShadowRunner) -> None:
        super().__init__(provider)
        self._share, self._runner = percent / 100, runner

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        recorder = _Recorder(request) if random() < self._share else None  # noqa: S311
        async with aclosing(self._provider.chat(request, deadline)) as stream:
            async for event in stream:
                if recorder is not None:
                    recorder.add(event)
                yield event
        answer = recorder.answer if recorder is not None else None
        if answer is not None and answer.side.backend != self._runner.candidate:
            self._runner.submit(request, answer)


class ShadowRunner:
    """Sends users' requests to the candidate, a few at a time; what does not fit the queue is dropped and counted."""

    def __init__(self, provider: LLMProvider, seconds: float, embed: Embed, store: Store, on_shadow: OnShadow) -> None:
        self.provider, self._seconds = provider, seconds
        self._embed, self._store, self._on_shadow = embed, store, on_shadow
        self._waiting: asyncio.Queue[tuple[ChatRequest, _Answer]] = asyncio.Queue(_WAITING)
        self._workers: list[asyncio.Task[None]] = []
        self._recent: deque[Comparison] = deque(maxlen=_REMEMBERED)
        self._counts = {"sampled": 0, "done": 0, "failed": 0, "dropped": 0, "unstored": 0}

    @property
    def candidate(self) -> str:
        return self.provider.name

    def submit(self, request: ChatRequest, answer: _Answer) -> None:
        """Queue a request for the candidate, or drop it; never waits."""
        self._count("sampled")
        try:
            self._waiting.put_nowait((request, answer))
        except asyncio.QueueFull:
            self._count("dropped")
            return
        if not self._workers:
            self._workers = [asyncio.create_task(self._work(), name="shadow") for _ in range(_WORKERS)]

    async def aclose(self) -> None:
        """Drop the requests that wait, and stop those that run at the candidate."""
        workers, self._workers = self._workers, []
        unfinished = self._counts["sampled"] - sum(self._counts[end] for end in ("done", "failed", "dropped"))
        for _ in range(unfinished):
            self._count("dropped")
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def report(self) -> dict[str, Any]:
        """Return counts since the shadow began, and means over the last comparisons."""
        both = [(c.stable, c.candidate) for c in self._recent if c.candidate is not None]
        sides = {"stable": [s for s, _ in both], "candidate": [c for _, c in both]}

        def each(measure: Callable[[list[Side]], float | None]) -> dict[str, float | None]:
            return {name: measure(answers) for name, answers in sides.items()}

        return {
            "candidate": self.candidate,
            **self._counts,
            "waiting": self._waiting.qsize(),
            "mean_similarity": mean(c.similarity for c in self._recent),
            "mean_citation_overlap": mean(c.citation_overlap for c in self._recent),
            "json_valid_rate": mean(side.json_valid for side in sides["candidate"]),
            "refusal_rate": each(lambda answers: mean(a.refused for a in answers)),
            "tokens_mean": each(lambda answers: mean(a.tokens for a in answers)),
            "seconds_p50": each(lambda answers: mean((a.seconds for a in answers), median)),
            "first_token_p50": each(lambda answers: mean((a.first_token_seconds for a in answers), median)),
        }

    async def _work(self) -> None:
        while True:
            request, answer = await self._waiting.get()
            comparison = await self._compare(request, answer)
            self._recent.append(comparison)
            self._count("done" if comparison.error is None else "failed")
            try:
                await self._store(comparison)
            except OSError:
                # A full disk must not end the shadow: what it shows is in memory too.
                self._count("unstored")

    async def _compare(self, request: ChatRequest, stable: _Answer) -> Comparison:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        recorder = _Recorder(request)
        try:
            stream = self.provider.chat(replace(request, backend=None), Deadline.after(self._seconds))
            async with aclosing(stream):
                async for event in stream:
                    recorder.add(event)
        except Exception as error:  # the candidate's fault or ours: it is counted, and the next request is sent
            return Comparison(now, stable.side, None, outcome_of(error))
        answer = recorder.answer
        if answer is None:
            return Comparison(now, stable.side, None, "stream_broken")
        cited = labels(stable.text), labels(answer.text)
        overlap = len(cited[0] & cited[1]) / len(cited[0] | cited[1]) if cited[0] | cited[1] else None
        similarity = await self._similarity(stable.text, answer.text)
        return Comparison(now, stable.side, answer.side, None, overlap, similarity)

    async def _similarity(self, a: str, b: str) -> float | None:
        if not a.strip() or not b.strip():
            return 1.0 if a.strip() == b.strip() else 0.0
        try:
            left, right = await self._embed([a, b])
        except ProviderError:
            return None
        return round(float(left @ right), 4)

    def _count(self, what: str) -> None:
        self._counts[what] += 1
        self._on_shadow(what)


class _Recorder(Completion):
    """Puts an answer together, and measures it when it is whole."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__()
        self._request, self._begun = request, monotonic()
        self._first: float | None = None
        self.answer: _Answer | None = None

    def add(self, event: object) -> None:
        super().add(event)
        if isinstance(event, Started):
            self._first = monotonic() - self._begun
        elif isinstance(event, Done):
            self.answer = self._whole()

    def _whole(self) -> _Answer:
        text, schema = self.text, self._request.json_schema
        side = Side(
            backend=self.started.backend,
            model=self.started.model,
            tokens=self.done.usage.completion_tokens,
            seconds=round(monotonic() - self._begun, 4),
            first_token_seconds=None if self._first is None else round(self._first, 4),
            characters=len(text),
            refused=NO_ANSWER in text,
            json_valid=json_valid(schema, text) if schema is not None else None,
            finish_reason=self.done.finish_reason,
        )
        return _Answer(side, text)

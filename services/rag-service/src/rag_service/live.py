"""Answers that go on while nobody reads them, so that a page that was reloaded finds its answer again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from service_kit.errors import Conflict, NotFound
from service_kit.sse import encode

_KEPT_SECONDS = 60.0
STOPPING = encode("cancelled", {"detail": "the answer was stopped, or the service is stopping; ask again"})


class LiveAnswer:
    """One answer's frames, made by a task of its own; any number of readers get all of them from the first on."""

    def __init__(self, question: str, frames: AsyncGenerator[str, None]) -> None:
        self.question = question
        self._frames = list[str]()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._collect(frames))

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def stop(self) -> None:
        """End the answer with its `cancelled` event."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._frames:
            # It was stopped before it began.
            self._frames.append(STOPPING)

    async def follow(self) -> AsyncGenerator[str, None]:
        """Yield the frames so far, and the others as they come."""
        position = 0
        while True:
            changed, ended = self._changed, self.ended
            while position < len(self._frames):
                position += 1
                yield self._frames[position - 1]
            if ended:
                return
            try:
                await changed.wait()
            except asyncio.CancelledError:
                yield STOPPING
                raise

    async def _collect(self, frames: AsyncGenerator[str, None]) -> None:
        try:
            async with aclosing(frames):
                async for frame in frames:
                    self._frames.append(frame)
                    self._wake()
        finally:
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class LiveAnswers:
    """The answers of this process that are being made, or were a minute ago, by conversation."""

    def __init__(self) -> None:
        self._answers: dict[str, LiveAnswer] = {}

    def start(self, conversation_id: str, question: str, frames: AsyncGenerator[str, None]) -> LiveAnswer:
        """Begin an answer; raises `Conflict` while the conversation has another one."""
        if (before := self._answers.get(conversation_id)) is not None and not before.ended:
            raise Conflict("this conversation has an answer that is still being made: wait for it, or stop it")
        answer = self._answers[conversation_id] = LiveAnswer(question, frames)
        asyncio.get_running_loop().create_task(self._forget(conversation_id, answer))
        return answer

    def get(self, conversation_id: str) -> LiveAnswer:
        """Raise `NotFound` where none is being made here: the conversation's turns then hold what was answered."""
        if (answer := self._answers.get(conversation_id)) is None:
            raise NotFound("no answer is being made in this conversation", field="conversation_id")
        return answer

    def question(self, conversation_id: str) -> str | None:
        """Return what is being answered in a conversation, if anything is."""
        answer = self._answers.get(conversation_id)
        return None if answer is None or answer.ended else answer.question

    async def aclose(self) -> None:
        await asyncio.gather(*(answer.stop() for answer in self._answers.values()))

    async def _forget(self, conversation_id: str, answer: LiveAnswer) -> None:
        async with aclosing(answer.follow()) as frames:
            async for _ in frames:
                pass
        await asyncio.sleep(_KEPT_SECONDS)
        if self._answers.get(conversation_id) is answer:
            del self._answers[conversation_id]

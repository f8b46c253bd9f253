"""A light load of questions, documents and notes, and a record of what was acknowledged and what was refused, and how."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2

from compose.stack import Stack


@dataclass
class Load:
    """One asks, one adds documents, one makes notes, until the block ends."""

    stack: Stack
    key: str
    label: str
    documents: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answered: int = 0
    degraded: int = 0
    refused: list[httpx2.Response] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._failure: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, pause), daemon=True)
            for act, pause in ((self._ask, 0.2), (self._add, 0.7), (self._note, 1.5))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(150)
        if self._failure:
            raise self._failure[0]

    def _repeat(self, act: Callable[[httpx2.Client, int], None], pause: float) -> None:
        try:
            with self.stack.client(self.key) as client:
                for number in itertools.count():
                    if self._stop.wait(pause):
                        return
                    try:
                        act(client, number)
                    except httpx2.TransportError as error:
                        self.unreachable.append(type(error).__name__)
        except BaseException as error:
            self._failure.append(error)

    def _took(self, answer: httpx2.Response, *good: int) -> dict[str, Any] | None:
        if answer.status_code in good:
            return dict(answer.json())
        self.refused.append(answer)
        return None

    def _ask(self, client: httpx2.Client, number: int) -> None:
        given = {"question": f"Which seedlings are sold in week {number}?", "max_tokens": 30}
        if (body := self._took(client.post("/rag/v1/query", json=given), 200)) is not None:
            self.answered += 1
            self.degraded += bool(body["degraded"])

    def _add(self, client: httpx2.Client, number: int) -> None:
        given = {"text": f"Delivery {number} of {self.label}: {number + 3} trays of basil.", "title": f"{number}"}
        body = self._took(client.post("/rag/v1/documents", json=given), 200, 202)
        if body is not None:
            self.documents.append(body["items"][0]["document"]["id"])

    def _note(self, client: httpx2.Client, number: int) -> None:
        given = {"text": f"Anna: I will send report {number} of {self.label} by Friday."}
        if (body := self._took(client.post("/notes/v1/notes?wait=0", json=given), 201, 202)) is not None:
            self.notes.append(body["id"])

    def settle(self, seconds: float = 120) -> None:
        """Wait until all that was acknowledged is ready; raises AssertionError with what is not."""
        end = time.monotonic() + seconds
        with self.stack.client(self.key) as client:
            open_ = {f"/rag/v1/documents/{one}" for one in self.documents}
            open_ |= {f"/notes/v1/notes/{one}" for one in self.notes}
            while open_:
                states = {path: client.get(path).json().get("status") for path in open_}
                assert "failed" not in states.values(), states
                open_ = {path for path, state in states.items() if state != "ready"}
                assert time.monotonic() < end, f"not ready: {[(path, states[path]) for path in open_]}"
                if open_:
                    time.sleep(0.5)


def until(what: Callable[[], object], seconds: float = 90) -> None:
    """Wait until `what` says yes; raises AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.1)

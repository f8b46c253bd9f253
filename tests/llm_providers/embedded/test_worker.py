"""What is urgent goes first, also in the middle of long work."""

from __future__ import annotations

from threading import Event

import pytest

from llm_providers.backends.embedded.worker import Urgency, UrgencyWorker


def test_urgent_work_goes_first_and_into_the_middle_of_long_work() -> None:
    worker, begun, go, done = UrgencyWorker("test"), Event(), Event(), list[str]()

    def ingest() -> None:
        begun.set()
        go.wait(10)
        for batch in ("batch 1", "batch 2"):
            worker.give_way(Urgency.INGESTION)
            done.append(batch)

    long = worker.submit(Urgency.INGESTION, ingest)
    begun.wait(10)
    later = worker.submit(Urgency.INGESTION, lambda: done.append("next document"))
    worker.submit(Urgency.ANSWER, lambda: done.append("answer"))
    worker.submit(Urgency.SEARCH, lambda: done.append("search"))
    go.set()
    long.result(10)
    later.result(10)
    assert done == ["search", "answer", "batch 1", "batch 2", "next document"]
    worker.close()


def test_a_failure_is_the_callers_and_the_next_work_is_done() -> None:
    worker = UrgencyWorker("test")
    with pytest.raises(ZeroDivisionError):
        worker.submit(Urgency.SEARCH, lambda: 1 / 0).result(10)
    assert worker.submit(Urgency.SEARCH, lambda: 1).result(10) == 1
    worker.close()


def test_closing_cancels_what_waits() -> None:
    worker, begun, go = UrgencyWorker("test"), Event(), Event()
    running = worker.submit(Urgency.ANSWER, lambda: begun.set() or go.wait(10))
    begun.wait(10)
    waiting = worker.submit(Urgency.ANSWER, lambda: None)
    worker.close()
    worker.close()
    go.set()
    assert running.result(10)
    assert waiting.cancelled()
    assert worker.submit(Urgency.SEARCH, lambda: None).cancelled()

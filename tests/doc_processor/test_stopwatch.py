"""A page's limit counts the time in which it could run."""

from __future__ import annotations

import os

from doc_processor.workers.stopwatch import Stopwatch, waiting


def watch(step: float = 1.0) -> tuple[Stopwatch, dict[str, float], dict[int, float]]:
    now, waits = {"s": 0.0}, {7: 100.0}
    return Stopwatch(7, step, lambda: now["s"], lambda _: waits), now, waits


def test_time_that_passes_counts() -> None:
    stopwatch, now, _ = watch()
    for second in range(1, 6):
        now["s"] = second
        assert stopwatch.seconds() == second


def test_waits_for_a_processor_do_not_count_not_even_those_of_programs_it_started() -> None:
    stopwatch, now, waits = watch()
    for second in range(1, 41):
        now["s"] = second
        waits[7] += 0.5
        waits[8] = waits.get(8, 0.0) + 0.4
        assert stopwatch.seconds() < 0.2 * second
    del waits[8]
    now["s"] += 1
    assert stopwatch.seconds() < 6


def test_a_machine_that_stood_still_counts_as_one_step() -> None:
    stopwatch, now, _ = watch()
    now["s"] = 60
    assert stopwatch.seconds() == 1


def test_a_process_and_what_it_started_are_looked_at() -> None:
    assert os.getpid() in waiting(os.getpid())
    assert waiting(2**22 + 1) == {}

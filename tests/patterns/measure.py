"""Measures patterns on hostile texts, in a process that is killed if one never ends: `python -m patterns.measure`.

Standard input has one JSON object a line: `pattern`, `flags`, `uses`, `binary`. Every answer is a line with the worst
growth found: by how much the time grows while the text grows fourfold, and for which text. Time is that of the CPU, so
a machine that stands still is not counted.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Callable
from math import ceil
from time import perf_counter, process_time
from typing import Any

from patterns import hostile

SIZE = 8_000
LINEAR_SECONDS = 0.003
"""Most linear patterns take a tenth of it for `SIZE` characters; quadratic ones, some times as long."""
SUPERLINEAR = 10.0
"""Growth for four times the text: 4 is linear, 16 quadratic."""
_SLOWEST = 8
_SEEN_SECONDS = 0.03
_SECONDS = 20


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        _allow(_SECONDS)
        sys.stdout.write(f"{json.dumps(worst(task))}\n")
        sys.stdout.flush()


def worst(task: dict[str, Any]) -> dict[str, Any]:
    """Return the first `growth` that is superlinear over four times the text, else the greatest, its `text` and `seconds`."""
    written = task["pattern"]
    pattern = re.compile(written.encode("latin-1") if task["binary"] else written, task["flags"])
    calls = [_call(pattern, use, task["binary"]) for use in task["uses"]]
    texts = zip(hostile.texts(pattern, SIZE), hostile.texts(pattern, 4 * SIZE), strict=True)
    tried = [(_once(call, small), call, small, large) for small, large in texts for call in calls]
    slowest = sorted((each for each in tried if each[0] > LINEAR_SECONDS), key=lambda each: -each[0])[:_SLOWEST]
    found = {"growth": 0.0, "text": "", "seconds": 0.0}
    for _, call, small, large in slowest:
        before, after = _least(call, small, 1), _least(call, large, 1)
        if after / before > SUPERLINEAR:
            before, after = _least(call, small, 3), _least(call, large, 2)
        if after / before > found["growth"]:
            found = {"growth": after / before, "text": f"{small[:40]!r}…{small[-3:]!r}", "seconds": after}
        if found["growth"] > SUPERLINEAR:
            break
    return found


def _call(pattern: re.Pattern[Any], use: str, binary: bool) -> Callable[[str], object]:
    def call(text: str) -> object:
        subject: Any = text.encode("latin-1", "replace") if binary else text
        if use in ("sub", "subn"):
            return getattr(pattern, use)(b"" if binary else "", subject)
        result = getattr(pattern, use)(subject)
        return sum(1 for _ in result) if use == "finditer" else result

    return call


def _once(call: Callable[[str], object], text: str) -> float:
    begun = perf_counter()
    call(text)
    return perf_counter() - begun


def _least(call: Callable[[str], object], text: str, times: int) -> float:
    """Return the least time of the CPU for one call; each time, so many calls that the coarsest clock sees them."""
    least = float("inf")
    for _ in range(times):
        begun, calls = process_time(), 0
        while (spent := process_time() - begun) < _SEEN_SECONDS:
            call(text)
            calls += 1
        least = min(least, spent / calls)
    return least


def _allow(seconds: int) -> None:
    """Have the kernel kill this process after so much more time of the CPU."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(process_time()) + seconds, hard))


if __name__ == "__main__":
    main()

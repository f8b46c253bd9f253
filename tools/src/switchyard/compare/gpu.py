"""Use of the GPUs during a comparison, from `nvidia-smi`."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_QUERY = ("index", "name", "utilization.gpu", "memory.used", "memory.total")
_EVERY_MS = 500


@dataclass(frozen=True, slots=True)
class GPUSample:
    """One GPU at one moment (monotonic clock); percent, and MiB."""

    at: float
    index: int
    name: str
    utilisation: float
    used: float
    total: float


@dataclass(slots=True)
class Watch:
    """Samples as they come in; none where there is no GPU."""

    samples: list[GPUSample] = field(default_factory=list)

    def between(self, began: float, ended: float) -> list[dict[str, float | int | str]]:
        """Summarise each GPU over a span: mean and highest utilisation, most memory used."""
        by_gpu: dict[int, list[GPUSample]] = {}
        for sample in self.samples:
            if began <= sample.at <= ended:
                by_gpu.setdefault(sample.index, []).append(sample)
        return [
            {
                "index": index,
                "name": span[0].name,
                "utilisation_mean": sum(each.utilisation for each in span) / len(span),
                "utilisation_max": max(each.utilisation for each in span),
                "memory_used_mib": max(each.used for each in span),
                "memory_total_mib": span[0].total,
            }
            for index, span in sorted(by_gpu.items())
        ]


@contextmanager
def watch() -> Iterator[Watch]:
    """Sample twice a second until the block ends."""
    samples = Watch()
    program = shutil.which("nvidia-smi")
    if program is None:
        yield samples
        return
    command = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits", "-lms", str(_EVERY_MS)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    reader = threading.Thread(target=_read, args=(child, samples), daemon=True)
    reader.start()
    try:
        yield samples
    finally:
        child.terminate()
        child.wait()
        reader.join()
        if child.stdout is not None:
            child.stdout.close()


def _read(child: subprocess.Popen[str], watch: Watch) -> None:
    for line in child.stdout or ():
        if (sample := parse(line, time.monotonic())) is not None:
            watch.samples.append(sample)


def parse(line: str, at: float) -> GPUSample | None:
    """Read one line; None for a line without figures, which some drivers print."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != len(_QUERY):
        return None
    try:
        return GPUSample(at, int(parts[0]), parts[1], *map(float, parts[2:]))
    except ValueError:
        return None

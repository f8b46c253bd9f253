"""Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_:][\w:]*")
_LABEL = re.compile(r'(?<!\w)([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass(frozen=True)
class MetricSample:
    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> Iterator[MetricSample]:
    """Yield the samples in `text`; other lines are ignored."""
    for line in text.splitlines():
        series, brace, numbers = line.strip().rpartition("}")
        if not brace:
            series, _, numbers = line.strip().partition(" ")
        name, _, written = series.partition("{")
        value = numbers.split()  # and perhaps when it was taken
        if _NAME.fullmatch(name) and len(value) in (1, 2):
            labels = {label: _plain(text) for label, text in _LABEL.findall(written)}
            yield MetricSample(name, labels, float(value[0]))


def _plain(value: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match.group(), match.group()), value)


def total(samples: Iterable[MetricSample], name: str) -> float | None:
    """Return the sum of the samples called `name`; None if there are none."""
    values = [sample.value for sample in samples if sample.name == name]
    return sum(values) if values else None

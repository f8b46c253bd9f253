"""Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass(frozen=True)
class MetricSample:
    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> Iterator[MetricSample]:
    """Yield the samples in `text`; other lines are ignored."""
    for line in text.splitlines():
        matched = None if line.startswith("#") else _SAMPLE.match(line.strip())
        if matched:
            labels = {name: _plain(value) for name, value in _LABEL.findall(matched.group(2) or "")}
            yield MetricSample(matched.group(1), labels, float(matched.group(3)))


def _plain(value: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match.group(), match.group()), value)


def total(samples: Iterable[MetricSample], name: str) -> float | None:
    """Return the sum of the samples called `name`; None if there are none."""
    values = [sample.value for sample in samples if sample.name == name]
    return sum(values) if values else None

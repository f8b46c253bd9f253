"""What the guard found, counted, logged and audited."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import get_args

import structlog
from prometheus_client import CollectorRegistry, Counter

from service_kit.audit.log import AuditLog
from service_kit.output_guard.guard import Finding
from service_kit.output_guard.patterns import Kind
from service_kit.output_guard.settings import Mode

log = structlog.get_logger(__name__)


class GuardMetrics:
    """Findings in what models wrote, by kind and by what was done; the words themselves are in no log."""

    def __init__(self, registry: CollectorRegistry, audit: AuditLog | None = None) -> None:
        self._audit = audit
        self._findings = Counter(
            "switchyard_guard_findings",
            "What must not go out, found in what a model wrote",
            ("kind", "mode"),
            registry=registry,
        )
        # All from the start: one that appears with its first event hides that event from `increase()`.
        for kind, mode in product(get_args(Kind), get_args(Mode)):
            self._findings.labels(kind, mode)

    def found(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._findings.labels(finding.kind, finding.mode).inc(finding.count)
            log.warning("output guard", kind=finding.kind, mode=finding.mode, count=finding.count)
            if self._audit is not None:
                self._audit.note("guard", kind=finding.kind, mode=finding.mode, count=finding.count)

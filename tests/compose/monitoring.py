"""What the monitoring asks for, and what is exported: rules, dashboard, metric names, Prometheus' API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import yaml  # type: ignore[import-untyped]

from compose.stack import REPOSITORY

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
PROVISIONING = REPOSITORY / "deploy" / "grafana" / "provisioning"
DASHBOARD = PROVISIONING / "dashboards" / "switchyard.json"
_OWN = {"ALERTS", "up"}
"""Series that Prometheus makes itself."""
_NOT_NAMES = re.compile(
    r"""
    "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'                       # strings
    | \b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)  # labels
    | \b(?:and|or|unless|bool|offset)\b                         # operators
    | \b\w+\s*(?=\(|\bby\b|\bwithout\b)                           # functions
    | \[[^\]]*\]                                                # ranges
    """,
    re.VERBOSE,
)
_MATCHERS = re.compile(r"\{[^}]*\}")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*")
_TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Expression:
    """PromQL and where it stands; of a panel, `panel` is its id."""

    where: str
    expr: str
    panel: int = 0


def rules() -> list[dict[str, Any]]:
    """Every rule, recording and alerting."""
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, without its rows."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> Iterator[Expression]:
    """All that is asked of Prometheus, with the dashboard's variables at "All"."""
    for rule in rules():
        yield Expression(rule.get("record") or rule["alert"], rule["expr"])
    for panel in panels():
        for target in panel["targets"]:
            expr = target["expr"].replace("$role", ".*").replace("$service", ".*")
            yield Expression(panel["title"], expr, panel["id"])


def names(expr: str) -> set[str]:
    """The metrics that an expression asks for."""
    # Strings first: a matcher's may hold braces.
    return set(_NAME.findall(_MATCHERS.sub(" ", _NOT_NAMES.sub(" ", expr))))


def wanted() -> set[str]:
    """The metrics that rules and dashboard need from what is scraped."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return {name for one in expressions() for name in names(one.expr)} - recorded - _OWN


def exported(metrics: str) -> set[str]:
    """The series' names that a page of metrics has or will have, by its TYPE lines: https://prometheus.io/docs/instrumenting/exposition_formats/."""
    found = set()
    for name, kind in _TYPE.findall(metrics):
        parts = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
        found |= {name + part for part in parts.get(kind, ("",))}
    return found


def check_vllm_names(metrics_text: str) -> None:
    """Raise AssertionError for a name that rules or dashboard ask of vLLM, and that its /metrics does not have."""
    asked = {name for name in wanted() if name.startswith("vllm:")}
    assert asked, "nothing is asked of vLLM"
    assert asked <= exported(metrics_text), sorted(asked - exported(metrics_text))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Its HTTP API, https://prometheus.io/docs/prometheus/latest/querying/api/."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx2.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        body = answer.json()
        assert body["status"] == "success", f"{parameters}: {body.get('error')}"
        return body["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that there are now; raises AssertionError with what Prometheus has against `expr`."""
        return list(self.get("query", query=expr)["result"])

    def targets(self) -> dict[str, tuple[str, str]]:
        """Health and last error by instance."""
        active = self.get("targets", state="active")["activeTargets"]
        return {one["labels"]["instance"]: (one["health"], one["lastError"]) for one in active}

    def faults(self) -> dict[str, str]:
        """What went wrong with rules, by rule."""
        found = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        assert len(found) == len(rules())
        return {rule["name"]: rule.get("lastError", "") for rule in found if rule["health"] == "err"}

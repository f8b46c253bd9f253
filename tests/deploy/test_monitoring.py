"""Rules and dashboard as files: what can be held to without an engine. tests/compose/test_monitoring.py asks the real Prometheus."""

from __future__ import annotations

import importlib
import itertools
import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import generate_latest

from compose.monitoring import DASHBOARD, PROMETHEUS, PROVISIONING, exported, names, panels, rules, wanted
from doc_processor.metrics import PageMetrics
from graph_service.metrics import GraphMetrics
from rag_service.metrics import JOB_UNITS, SearchMetrics
from service_kit.metrics import JobMetrics, Metrics

ANCHORS = {"engine-down", "error-rate", "latency", "fallback-active", "ingestion-stalled", "service-down"}
ALERTS = [rule for rule in rules() if "alert" in rule]


@pytest.fixture
def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


def test_every_metric_that_is_asked_for_is_one_that_the_services_export() -> None:
    metrics = Metrics()
    SearchMetrics(metrics.registry)
    PageMetrics(metrics.registry)
    GraphMetrics(metrics.registry)
    JobMetrics(metrics.registry, JOB_UNITS)
    there = exported(generate_latest(metrics.registry).decode())
    asked = {name for name in wanted() if not name.startswith("vllm:")}
    assert asked <= there, sorted(asked - there)


def test_the_names_in_an_expression_are_found() -> None:
    expr = 'count by (a, b) (ALERTS{x="}"}) or 60 * sum(rate(foo_bar{a=~"b|c"}[5m])) / on (role) x:y:z offset 5m > 1e3'
    assert names(expr) == {"ALERTS", "foo_bar", "x:y:z"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_for_how_long_how_bad_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["for"].endswith("m")
    assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert len(said["description"]) > 100
    page, anchor = said["runbook"].split("#")
    assert page == "docs/operations.md"
    assert anchor in ANCHORS


def test_there_is_an_alert_for_every_anchor_and_a_test_of_every_alert() -> None:
    assert {rule["annotations"]["runbook"].split("#")[1] for rule in ALERTS} == ANCHORS
    tests = (PROMETHEUS / "rules" / "tests" / "alerts.yml").read_text()
    assert [rule["alert"] for rule in ALERTS if rule["alert"] not in tests] == []


def test_vllms_servers_are_the_same_with_and_without_a_reranker() -> None:
    with_, without = (
        yaml.safe_load((PROMETHEUS / "targets" / folder / "vllm.yml").read_text()) for folder in ("vllm-rerank", "vllm")
    )
    assert [group["labels"]["role"] for group in without] == ["text", "embeddings"]
    assert with_[:-1] == without
    assert with_[-1] == {"targets": ["vllm:8002"], "labels": {"service": "vllm", "role": "rerank"}}


def test_the_dashboard_is_what_its_panels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROVISIONING.parent))
    made = importlib.import_module("dashboard").text()
    assert made == DASHBOARD.read_text(), "run: python deploy/grafana/dashboard.py"


def test_the_dashboard_asks_the_source_that_is_provisioned(dashboard: dict[str, Any]) -> None:
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    asking = [
        *panels(),
        *(target for panel in panels() for target in panel["targets"]),
        *dashboard["templating"]["list"],
    ]
    assert {(one["datasource"]["type"], one["datasource"]["uid"]) for one in asking} == {("prometheus", source["uid"])}
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "switchyard.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_can_be_read(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert len(panel["description"]) > 20
    assert defaults["unit"]
    assert defaults["noValue"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    for target in panel["targets"]:
        assert 0 < len(target["legendFormat"]) < 75


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells

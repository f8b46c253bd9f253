"""The profile `monitoring` beside the Ollama stack: what is scraped, that every query finds its metrics, and that alerts fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compose.load import until
from compose.monitoring import Prometheus, exported, expressions, panels, rules, wanted
from compose.stack import OLLAMA, PORTS, Stack
from compose.use import QUESTIONS, add, ask_streamed
from switchyard.services import SERVICES

pytestmark = pytest.mark.compose
# Panels that are about what does not happen here: alerts, failures, fallbacks, canaries and shadows.
QUIET = {103, 204, 303, 306, 308, 309}
VLLM = range(500, 600)
BUSY = {"fault": {"kind": "status", "status": 503, "message": "engine is currently busy"}, "path": "/api/chat"}


@pytest.fixture(scope="module")
def stack(folder: Path, gateway_base: None) -> Iterator[Stack]:
    made = Stack(folder, OLLAMA)
    made.down("-v")
    # Grafana is left out: its image can't be had here, and nothing stands in for it. What it is provisioned with is held to
    # its schema's shape in tests/deploy, and every query of its dashboard is asked below.
    made.compose("up", "-d", "--build", "--wait", "prometheus", "gateway", seconds=600)
    yield made
    made.down("-v")


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """An admin key, once every kind of thing has been done."""
    made = stack.key()
    with stack.client(made) as client:
        add(client, "/rag", "handbook.md", "pump-inspection-scan.pdf")
        assert (
            client.post("/notes/v1/notes", json={"text": "Anna: I will send the report by Friday."}).status_code == 201
        )
    return made


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Prometheus:
    return Prometheus(f"http://127.0.0.1:{PORTS['PROMETHEUS_PORT']}")


def use(stack: Stack, key: str) -> None:
    with stack.client(key) as client:
        ask_streamed(client, "/rag", QUESTIONS[0])
        assert client.post("/rag/v1/query", json={"question": ""}).status_code == 422
        client.post("/notes/v1/notes?wait=0", json={"text": "Ben: I order the pots on Monday."})
        client.post("/rag/v1/documents", json={"text": "Anna Berg orders the pots.", "title": "Pots"})
        built = client.post("/graph/v1/graphs", json={"collection": "default", "again": True})
        assert built.status_code in (202, 404), "404 until the document is ready"
        scan = (stack.folder / "examples" / "frost-rota-photo.png").read_bytes()
        assert client.post("/doc-processor/v1/process", files={"file": ("frost.png", scan)}).status_code == 200


def test_promtool_finds_nothing_wrong(stack: Stack) -> None:
    """In the container, by the Prometheus that is to read them; `test rules` has a test of each alert."""
    for check in ("config prometheus.yml", "rules rules/alerts.yml", "rules rules/recording.yml"):
        verb, file = check.split()
        promtool(stack, "check", verb, f"/etc/prometheus/{file}")
    said = promtool(
        stack, "test", "rules", *(f"/etc/prometheus/rules/tests/{name}.yml" for name in ("alerts", "quiet"))
    )
    assert said.count("SUCCESS") == 2, said


def promtool(stack: Stack, *arguments: str) -> str:
    return stack.compose("exec", "-T", "prometheus", "promtool", *arguments)


def test_every_target_is_up_and_there_is_no_vllm_to_be_missed(prometheus: Prometheus) -> None:
    expected = {f"{service.name}:{service.port}" for service in SERVICES} | {"localhost:9090"}
    until(lambda: {health for health, _ in prometheus.targets().values()} == {"up"}, seconds=60)
    assert set(prometheus.targets()) == expected


def test_every_metric_that_is_asked_for_is_exported(stack: Stack, key: str, prometheus: Prometheus) -> None:
    there: set[str] = set()
    for service in SERVICES:
        with stack.client(url=stack.own_url(service.name)) as client:
            there |= exported(client.get("/metrics").text)
    asked = {name for name in wanted() if not name.startswith("vllm:")}
    assert len(asked) > 15
    assert asked <= there, sorted(asked - there)
    # And that Prometheus took them: all but those that wait for their first event.
    events = {f"switchyard_{name}_total" for name in ("provider_fallbacks", "canary_trips", "shadow_requests")}
    until(lambda: asked - events <= set(prometheus.get("label/__name__/values")), seconds=60)


def test_every_query_can_be_asked_and_shows_what_happened(stack: Stack, key: str, prometheus: Prometheus) -> None:
    """Rules and panels, by the real API; a rate needs two scrapes of what has changed in between."""
    all_ = list(expressions())
    assert len({one.panel for one in all_}) == len(panels()) + 1
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    loud = [
        one
        for one in all_
        if one.where not in alerts and one.panel not in QUIET and one.panel not in VLLM and "fallbacks" not in one.where
    ]

    def empty() -> list[str]:
        use(stack, key)
        return [f"{one.where}: {one.expr}" for one in loud if not prometheus.query(one.expr)]

    assert len(loud) > 30
    try:
        until(lambda: not empty(), seconds=75)
    except AssertionError:
        raise AssertionError(f"no data: {empty()}") from None
    for one in all_:
        found = prometheus.query(one.expr)
        values = [float(series["value"][1]) for series in found]
        assert all(value == value for value in values), f"NaN: {one.where}: {one.expr}"
        if one.panel in VLLM or one.where in alerts:
            assert not found, (one.where, found)
    assert prometheus.faults() == {}
    # A target that was asked before it was up may have been pending.
    until(lambda: prometheus.get("alerts")["alerts"] == [], seconds=30)


def test_alerts_see_an_engine_that_fails(stack: Stack, key: str, prometheus: Prometheus) -> None:
    """As far as `pending`: how long each must last before it fires, and that it ends, is tested by promtool."""

    def alerts() -> set[tuple[str, str]]:
        found = [one["labels"] for one in prometheus.get("alerts")["alerts"]]
        return {(one["alertname"], one.get("backend") or one.get("service") or "") for one in found}

    stack.inside("ollama", script(BUSY))
    expected = {
        ("EngineFailing", "ollama"),
        ("ProviderErrorRate", "ollama"),
        ("ServiceErrorRate", "rag-service"),
        ("ServiceNotReady", "rag-service"),
    }
    with stack.client(key) as client:

        def seen() -> bool:
            assert client.post("/rag/v1/query", json={"question": QUESTIONS[0]}).status_code == 503
            return expected <= alerts()

        until(seen)


def script(what: dict[str, Any]) -> str:
    """Python that tells the scripted engine what to do from now on."""
    return (
        "import json, urllib.request\n"
        f"said = json.dumps({what!r}).encode()\n"
        "asked = urllib.request.Request('http://127.0.0.1:11434/_script', said, {'Content-Type': 'application/json'})\n"
        "urllib.request.urlopen(asked).read()"
    )

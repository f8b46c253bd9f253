"""What the running stack says of itself: its containers, services, model servers and policy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service_kit import peers
from switchyard.services import SERVICES
from switchyard.stack import exposition
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed
from switchyard.stack.exposition import Sample
from switchyard.stack.stacks import Project

PORTS: Mapping[str, int] = {service.name: service.port for service in SERVICES}
ENGINES: Mapping[str, int] = {"text": 8000, "embeddings": 8001, "rerank": 8002}
_HERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what is published on all interfaces is here too
_QUEUE = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv_cache": "vllm:kv_cache_usage_perc",
}


@dataclass(frozen=True)
class Gathered:
    """`health` and `samples` per service, `queues` per role of vLLM; what could not be asked is in `unanswered`."""

    containers: Sequence[Container]
    missing: Sequence[str]
    health: Mapping[str, Mapping[str, Any]]
    samples: Mapping[str, Sequence[Sample]]
    queues: Mapping[str, Mapping[str, float]]
    policy: Mapping[str, Any]
    unanswered: Mapping[str, str]


def gather(project: Project) -> Gathered:
    """Ask everything that runs; what doesn't answer is reported, never an error."""
    found = project.containers()
    answers, policy = _inside(project, found)
    for service, url in _published(found).items():
        answers.setdefault(_health(service), peers.fetch([url])[url])
    health, unanswered = _health_pages(found, answers)
    return Gathered(
        found,
        _missing(project, found),
        health,
        {service: _samples(answers, f"http://{service}:{port}/metrics") for service, port in PORTS.items()},
        _queues(answers),
        policy,
        unanswered,
    )


def _inside(project: Project, found: Sequence[Container]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Ask from within the network, where engines and metrics can be reached; nothing if there is nobody to ask."""
    asker = find(found, "rag-service")
    if asker is None or not asker.running:
        return {}, {}
    urls = [f"http://{name}:{port}{page}" for name, port in PORTS.items() for page in ("/health", "/metrics")]
    if find(found, "vllm"):
        urls += [f"http://vllm:{port}/metrics" for port in ENGINES.values()]
    try:
        told = json.loads(project.docker.out("exec", asker.id, "python", "-m", "service_kit.peers", *urls, seconds=30))
        document = json.loads(told["policy"].get("body", "{}"))
    except (DockerFailed, ValueError):
        return {}, {}
    return told["answers"], document


def _health(service: str) -> str:
    return f"http://{service}:{PORTS[service]}/health"


def _published(found: Sequence[Container]) -> dict[str, str]:
    """The health pages as the host sees them."""
    urls: dict[str, str] = {}
    for service, port in PORTS.items():
        container = find(found, service)
        outside = container.ports.get(f"{port}/tcp") if container and container.running else None
        if outside:
            host, outside_port = outside.rsplit(":", 1)
            urls[service] = f"http://{_HERE.get(host, host)}:{outside_port}/health"
    return urls


def _health_pages(
    found: Sequence[Container], answers: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    pages: dict[str, dict[str, Any]] = {}
    unanswered: dict[str, str] = {}
    for service in PORTS:
        container, answer = find(found, service), answers.get(_health(service), {})
        if container is None or not container.running:
            continue
        try:
            pages[service] = json.loads(answer["body"])
        except (KeyError, ValueError):
            unanswered[service] = str(answer.get("error") or f"status {answer.get('status', 'unknown')}")
    return pages, unanswered


def _missing(project: Project, found: Sequence[Container]) -> list[str]:
    """Services of the compose files that have no container."""
    try:
        wanted = project.docker.out(*project.compose("config", "--services")).split()
    except DockerFailed:
        return []
    return sorted(set(wanted) - {one.service for one in found})


def _samples(answers: Mapping[str, Mapping[str, Any]], url: str) -> list[Sample]:
    answer = answers.get(url, {})
    return list(exposition.parse(answer["body"])) if answer.get("status") == 200 else []


def _queues(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    queues: dict[str, dict[str, float]] = {}
    for role, port in ENGINES.items():
        samples = _samples(answers, f"http://vllm:{port}/metrics")
        values = {key: exposition.total(samples, name) for key, name in _QUEUE.items()}
        if samples:
            queues[role] = {key: value for key, value in values.items() if value is not None}
    return queues


def kv_cache_words(queue: Mapping[str, float]) -> str | None:
    """The share of the KV cache in use, as vLLM tells it (0 to 1)."""
    share = queue.get("kv_cache")
    return None if share is None else f"{share * 100:.0f} %"

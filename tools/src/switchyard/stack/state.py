"""The state of a running stack: its containers, health pages, metrics, queues and policy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service_kit import peers
from switchyard.installation import Running
from switchyard.services import SERVICES
from switchyard.stack import exposition
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed
from switchyard.stack.exposition import MetricSample
from switchyard.stack.stacks import Project

PORTS: Mapping[str, int] = {service.name: service.port for service in SERVICES}
ENGINES: Mapping[str, int] = {"text": 8000, "embeddings": 8001, "rerank": 8002}
_QUEUE = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv_cache": "vllm:kv_cache_usage_perc",
}


@dataclass(frozen=True)
class StackState:
    """`health` and `samples` by service, `queues` by role of vLLM, `kv_cache` from 0 to 1; `unanswered` says why a health page is missing."""

    containers: Sequence[Container]
    missing: Sequence[str]
    health: Mapping[str, Mapping[str, Any]]
    samples: Mapping[str, Sequence[MetricSample]]
    queues: Mapping[str, Mapping[str, float]]
    policy: Mapping[str, Any]
    unanswered: Mapping[str, str]
    process: str = ""
    """Where everything runs in one process without Docker: what to say of it."""


def read(project: Project) -> StackState:
    """Read the state of everything that runs; what does not answer is part of the state, never an error."""
    containers = project.containers()
    answers, policy = _internal(project, containers)
    for service, port in PORTS.items():
        container = find(containers, service)
        url = container.url(port) if container else None
        if url and _health_url(service) not in answers:
            answers[_health_url(service)] = peers.fetch([f"{url}/health"])[f"{url}/health"]
    health, unanswered = _health_pages(containers, answers)
    return StackState(
        containers,
        _missing(project, containers),
        health,
        {service: _samples(answers, f"http://{service}:{port}/metrics") for service, port in PORTS.items()},
        _queues(answers),
        policy,
        unanswered,
    )


def read_process(running: Running) -> StackState:
    """Read the health pages of an all-in-one process; its metrics need a key."""
    urls = {service.name: f"{running.url}/{service.path}/health" for service in SERVICES}
    answers = peers.fetch(list(urls.values()))
    health: dict[str, Mapping[str, Any]] = {}
    unanswered: dict[str, str] = {}
    for service, url in urls.items():
        _read_page(service, answers[url], health, unanswered)
    words = f"one process without Docker at {running.url}/, data in {running.folder}"
    return StackState((), (), health, {}, {}, {}, unanswered, words)


def _internal(project: Project, containers: Sequence[Container]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return answers from inside the network, where engines and metrics are, and the policy; empty if rag-service is down."""
    service = find(containers, "rag-service")
    if service is None or not service.running:
        return {}, {}
    urls = [f"http://{name}:{port}{page}" for name, port in PORTS.items() for page in ("/health", "/metrics")]
    if find(containers, "vllm"):
        urls += [f"http://vllm:{port}/metrics" for port in ENGINES.values()]
    try:
        output = json.loads(
            project.docker.out("exec", service.id, "python", "-m", "service_kit.peers", *urls, seconds=30)
        )
        policy = json.loads(output["policy"].get("body", "{}"))
    except (DockerFailed, ValueError):
        return {}, {}
    return output["answers"], policy


def _health_url(service: str) -> str:
    return f"http://{service}:{PORTS[service]}/health"


def _health_pages(
    containers: Sequence[Container], answers: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    pages: dict[str, Mapping[str, Any]] = {}
    unanswered: dict[str, str] = {}
    for service in PORTS:
        container, answer = find(containers, service), answers.get(_health_url(service), {})
        if container is None or not container.running:
            continue
        _read_page(service, answer, pages, unanswered)
    return pages, unanswered


def _read_page(
    service: str, answer: Mapping[str, Any], pages: dict[str, Mapping[str, Any]], unanswered: dict[str, str]
) -> None:
    try:
        pages[service] = json.loads(answer["body"])
    except (KeyError, ValueError):
        unanswered[service] = str(answer.get("error") or f"status {answer.get('status', 'unknown')}")


def _missing(project: Project, containers: Sequence[Container]) -> list[str]:
    """Return the services of the compose files that have no container."""
    try:
        return sorted(set(project.services()) - {container.service for container in containers})
    except DockerFailed:
        return []


def _samples(answers: Mapping[str, Mapping[str, Any]], url: str) -> list[MetricSample]:
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

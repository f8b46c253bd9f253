"""The lists of services in the deployment files agree with `switchyard.services`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from switchyard.services import SERVICES, VOLUMES

ROOT = Path(__file__).parents[2]


def test_the_gateway_has_a_route_to_every_service() -> None:
    gateway = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]
    routes = [f"{service.path}={service.name}:{service.port}" for service in SERVICES]
    assert gateway["environment"]["SERVICES"].split() == routes
    assert list(gateway["depends_on"]) == [service.name for service in SERVICES]


def test_prometheus_scrapes_every_service() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    [targets] = [job["static_configs"] for job in jobs if job["job_name"] == "services"]
    assert targets == [
        {"targets": [f"{service.name}:{service.port}"], "labels": {"service": service.name}} for service in SERVICES
    ]


@pytest.mark.parametrize("stack", ["docker-compose.yml", "docker-compose.vllm.yml"])
def test_every_stack_has_every_service(stack: str) -> None:
    content = yaml.safe_load((ROOT / stack).read_text())
    assert {service.name for service in SERVICES} <= content["services"].keys()
    shared = yaml.safe_load((ROOT / "deploy" / "compose" / "resources.yml").read_text())
    assert {*VOLUMES} <= content["volumes"].keys() | shared["volumes"].keys()

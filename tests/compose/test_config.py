"""What the Compose files say, as Compose itself understands them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from compose.stack import Stack
from switchyard.services import SERVICES

pytestmark = pytest.mark.compose

NAMES = {service.name for service in SERVICES}
STACKS = {
    "ollama": ("docker-compose.yml",),
    "ollama-gpu": ("docker-compose.yml", "docker-compose.gpu.yml"),
    "vllm": ("docker-compose.vllm.yml",),
    "vllm-cpu": ("docker-compose.vllm.yml", "docker-compose.cpu.yml"),
    "vllm-single-gpu": ("docker-compose.vllm.yml", "docker-compose.single-gpu.yml"),
}
Config = dict[str, Any]


@pytest.fixture(params=STACKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def config(folder: Path, name: str, **environment: str) -> Config:
    return Stack(folder, STACKS[name], environment).config("--profile", "monitoring")


def devices(service: Config) -> list[str]:
    reserved = service["deploy"]["resources"].get("reservations", {}).get("devices", [])
    assert all(device["driver"] == "nvidia" and device["capabilities"] == ["gpu"] for device in reserved)
    return [identity for device in reserved for identity in device["device_ids"]]


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("ollama", {}),
        ("ollama-gpu", {"ollama": ["0"]}),
        ("vllm", {"ollama": ["0"], "vllm": ["1"]}),
        ("vllm-cpu", {}),
        ("vllm-single-gpu", {"ollama": ["0"], "vllm": ["0"]}),
    ],
)
def test_engines_are_pinned_to_their_gpus_and_nothing_else_has_one(
    folder: Path, name: str, pinned: dict[str, list[str]]
) -> None:
    services = config(folder, name)["services"]
    assert {service: found for service, said in services.items() if (found := devices(said))} == pinned
    # Inside, the one card that is pinned is number 0: this variable beside it would hide the card.
    assert not any("CUDA_VISIBLE_DEVICES" in (said.get("environment") or {}) for said in services.values())


def test_the_gpus_are_settable(folder: Path) -> None:
    services = config(folder, "vllm", OLLAMA_GPU="3", VLLM_GPU="2")["services"]
    assert devices(services["ollama"]) == ["3"]
    assert devices(services["vllm"]) == ["2"]
    assert devices(config(folder, "vllm-single-gpu", GPU="5")["services"]["vllm"]) == ["5"]


def test_only_the_gateway_is_published_beyond_loopback(folder: Path, name: str) -> None:
    published = {
        service: {port["host_ip"] for port in said.get("ports", [])}
        for service, said in config(folder, name, BIND_ADDRESS="192.0.2.7")["services"].items()
        if said.get("ports")
    }
    assert published.pop("gateway") == {"192.0.2.7"}
    assert set(published) == {*NAMES, "prometheus", "grafana"}
    assert all(addresses == {"127.0.0.1"} for addresses in published.values())
    assert {port["host_ip"] for port in config(folder, name)["services"]["gateway"]["ports"]} == {"127.0.0.1"}


def test_engines_and_chroma_are_on_the_internal_network_alone(folder: Path, name: str) -> None:
    found = config(folder, name)
    assert found["networks"]["backend"]["internal"] is True
    assert found["networks"]["edge"]["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    for service in {"chroma", "ollama", "vllm"} & set(found["services"]):
        assert set(found["services"][service]["networks"]) == {"backend"}
    out = {service for service, said in found["services"].items() if "download" in said.get("networks", {})}
    assert out == {"ollama-models", "vllm-models"} & set(found["services"])


def test_names_outside_are_refused_at_once_where_there_is_no_way_out(folder: Path, name: str) -> None:
    """Else a stopped engine's name would be asked for outside, for 8 seconds; and a question to a name server is a way out."""
    services = config(folder, name)["services"]
    assert {name for name, said in services.items() if said.get("dns") == ["127.0.0.1"]} == {
        "gateway",
        "inbox",
        *NAMES,
    }


def test_no_secret_is_shown(folder: Path, name: str) -> None:
    databases = ("DATABASE_URL", "NOTES_DATABASE_URL", "GRAPH_DATABASE_URL")
    secrets = ("ADMIN_API_KEY", "VLLM_API_KEY", "OIDC_CLIENT_SECRET", *databases, "HF_TOKEN")
    given = {}
    for secret in secrets:
        (folder / "secrets" / secret.lower()).write_text(f"the-value-of-{secret}")
        given[f"{secret}_FILE"] = f"./secrets/{secret.lower()}"
    shown = Stack(folder, STACKS[name], given).compose("config")
    assert "the-value-of" not in shown
    found = Stack(folder, STACKS[name], given).config()
    expected = set(secrets) - (set() if "vllm" in name else {"HF_TOKEN"})
    assert {
        s for said in found["services"].values() for s in [m["source"] for m in said.get("secrets", [])]
    } == expected
    holders = {
        service
        for service, said in found["services"].items()
        if "HF_TOKEN" in [mounted["source"] for mounted in said.get("secrets", [])]
    }
    assert holders == ({"vllm-models"} if "vllm" in name else set())


def test_services_are_those_of_the_list(folder: Path, name: str) -> None:
    services = config(folder, name)["services"]
    for service in SERVICES:
        found = services[service.name]
        assert found["environment"]["PORT"] == str(service.port)
        assert [(port["target"], port["host_ip"]) for port in found["ports"]] == [(service.port, "127.0.0.1")]
        volumes = {mount["source"] for mount in found["volumes"]}
        assert {"keys", "policy"} <= volumes
        # Documents may be hostile: who takes over the service that reads them can give nobody a key.
        can_write = {mount["source"] for mount in found["volumes"] if not mount.get("read_only")}
        assert ("keys" in can_write) is (service.name != "doc-processor")
        assert service.volume in volumes or not service.volume
        assert service.name in services["gateway"]["depends_on"]


def test_every_image_is_pinned(folder: Path, name: str) -> None:
    found = config(folder, name)["services"]
    images = [said["image"] for said in found.values()]
    for dockerfile in folder.glob("**/Dockerfile*"):
        if "tests" not in dockerfile.parts:
            images += re.findall(r"^ARG \w+_IMAGE=(\S+)", dockerfile.read_text(), re.MULTILINE)
    assert len(images) > len(found)
    for image in images:
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+([.a-z0-9_-]*)", image), image


def test_every_container_is_confined_limited_and_watched(folder: Path, name: str) -> None:
    for service, said in config(folder, name)["services"].items():
        assert said["read_only"] is True, service
        assert said["cap_drop"] == ["ALL"], service
        assert said["security_opt"] == ["no-new-privileges:true"], service
        assert said["logging"]["options"].keys() == {"max-size", "max-file"}, service
        ends = service == "keys" or service.endswith("-models")
        assert said["restart"] == ("on-failure:3" if ends else "unless-stopped"), service
        limits = said["deploy"]["resources"]["limits"]
        assert int(limits["memory"]) > 0, service
        assert limits["pids"] > 0, service
        # An engine may use all cores, but gives way to the services.
        assert float(limits.get("cpus", 0)) > 0 or said["cpu_shares"] < 1024, service
        assert said["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), service
        conditions = {need["condition"] for need in (said.get("depends_on") or {}).values()}
        assert conditions <= {"service_healthy", "service_completed_successfully"}, service


def test_the_stacks_share_project_and_volumes(folder: Path) -> None:
    ollama, vllm = config(folder, "ollama"), config(folder, "vllm")
    assert ollama["volumes"].items() <= vllm["volumes"].items()
    for service in (*NAMES, "chroma", "ollama"):
        assert ollama["services"][service]["volumes"] == vllm["services"][service]["volumes"]


@pytest.mark.parametrize("base", ["docker-compose.yml", "docker-compose.vllm.yml"])
def test_only_the_overlay_of_llamaparse_gives_the_doc_processor_a_way_out(folder: Path, base: str) -> None:
    without = Stack(folder, (base,), {}).config()["services"]["doc-processor"]
    found = Stack(folder, (base, "docker-compose.llamaparse.yml"), {}).config()
    with_it = found["services"]["doc-processor"]
    assert "LLAMAPARSE_CONSENT" not in without["environment"]
    assert set(with_it["networks"]) == {*without["networks"], "download"}
    assert "dns" not in with_it
    assert with_it["environment"]["LLAMAPARSE_CONSENT"] == "true"
    assert {mount["target"] for mount in with_it["volumes"]} >= {"/data/audit", "/data/llamaparse"}
    assert "LLAMA_CLOUD_API_KEY" in [mounted["source"] for mounted in with_it["secrets"]]
    out = {name for name, said in found["services"].items() if "download" in said.get("networks", {})}
    assert out - {"ollama-models", "vllm-models"} == {"doc-processor"}

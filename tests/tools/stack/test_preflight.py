"""Each check against machines and plans that we do not have here; what tools print is as they print it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from switchyard.stack.__main__ import main
from switchyard.stack.preflight import checks, machine, models
from switchyard.stack.preflight.facts import Facts, Secret, gather, secret, setting_names
from switchyard.stack.preflight.findings import FAULT, OK, WARNING, Finding, as_text, fault
from switchyard.stack.preflight.machine import Gpu, Memory
from switchyard.stack.preflight.models import GIB

from .conftest import ScriptedDocker, container

SMI = """\
0, GPU-5a1c7e0e-1a2b-3c4d-5e6f-708192a3b4c5, NVIDIA GeForce RTX 4090, 24564, 24106, 570.124.06, 8.9
1, GPU-9d8c7b6a-1a2b-3c4d-5e6f-708192a3b4c5, NVIDIA GeForce RTX 4090, 24564, 24106, 570.124.06, 8.9
"""
MEMINFO = """\
MemTotal:       65843668 kB
MemFree:         1204852 kB
MemAvailable:   60012344 kB
Buffers:          202924 kB
HugePages_Total:       0
"""
CARDS = machine.parse_gpus(SMI)


def pinned(card: str) -> dict[str, Any]:
    return {"reservations": {"devices": [{"driver": "nvidia", "device_ids": [card], "capabilities": ["gpu"]}]}}


def plan(vllm_card: str = "1", ollama_card: str = "0", **vllm: str) -> dict[str, Any]:
    """The vLLM stack as `docker compose config` prints it, as far as it is read."""
    names = {"VLLM_MODEL": "Qwen/Qwen3-4B-Instruct-2507", "VLLM_EMBED_MODEL": "nomic-ai/nomic-embed-text-v1.5"}
    names["VLLM_RERANK_MODEL"] = ""
    shares = {"GPU_MEMORY_UTILIZATION": "", "EMBED_MEMORY_UTILIZATION": "", "RERANK_MEMORY_UTILIZATION": ""}
    ollama_models = {"OLLAMA_MODEL": "", "OLLAMA_EMBED_MODEL": "", "OLLAMA_VISION_MODEL": "", "USE_VISION_ANALYSIS": ""}
    limits = {"limits": {"cpus": "2", "memory": str(2 * GIB)}}
    return {
        "services": {
            "gateway": {"ports": [{"host_ip": "127.0.0.1", "published": "8080", "target": 8080}]},
            "rag-service": {"deploy": {"resources": limits}},
            "ollama-models": {"environment": ollama_models},
            "vllm-models": {"environment": {**names, **vllm}},
            "ollama": {
                "environment": {"LOADED_ROLES": "vision"},
                "deploy": {"resources": pinned(ollama_card)},
            },
            "vllm": {"environment": {**names, **shares, **vllm}, "deploy": {"resources": pinned(vllm_card)}},
        }
    }


def ollama_plan() -> dict[str, Any]:
    """The Ollama stack without a card."""
    config = plan()
    for name in ("vllm", "vllm-models"):
        del config["services"][name]
    environment = {"LOADED_ROLES": "text embeddings"}
    limits = {"limits": {"memory": str(12 * GIB)}}
    config["services"]["ollama"] = {"environment": environment, "deploy": {"resources": limits}}
    return config


@pytest.fixture
def good() -> Facts:
    """A machine with two cards on which the vLLM stack fits."""
    return Facts(
        stack="vllm",
        engine={"ServerVersion": "26.1.5", "OperatingSystem": "Debian", "NCPU": 16, "DockerRootDir": "/var/lib/docker"},
        compose=(2, 26, 1),
        config=plan(),
        gpus=CARDS,
        toolkit=True,
        memory=Memory(64 * GIB, 60 * GIB),
        disk=200 * GIB,
        known_names=frozenset({"VLLM_MODEL", "GATEWAY_PORT", "OLLAMA_MODEL"}),
    )


def problems(facts: Facts) -> list[Finding]:
    return [finding for finding in checks.run(facts) if finding.level != OK]


def only(facts: Facts) -> Finding:
    found = problems(facts)
    assert len(found) == 1, as_text(found)
    return found[0]


def test_a_machine_that_fits_has_no_findings_but_good_ones(good: Facts) -> None:
    assert as_text(problems(good)) == ""
    subjects = {finding.subject for finding in checks.run(good)}
    assert {"engine", "compose", "gpu", "vllm", "ollama", "cores", "memory", "ports", "disk", "licence"} <= subjects


def test_the_ollama_stack_needs_no_card(good: Facts) -> None:
    facts = replace(good, stack="ollama", config=ollama_plan(), gpus=(), gpu_fault="nvidia-smi is not installed")
    assert as_text(problems(facts)) == ""


def test_whatever_is_wrong_comes_with_something_to_do() -> None:
    with pytest.raises(TypeError):
        fault("words")  # type: ignore[call-arg]
    text = as_text([Finding(OK, "a", "fine"), Finding(FAULT, "longer", "bad", "fix it")])
    assert text == "ok     a       fine\nFAULT  longer  bad\n         -> fix it\n"


# --- engine


@pytest.mark.parametrize(
    ("change", "words", "todo"),
    [
        ({"compose": (2, 23, 3)}, "Compose 2.23.3 is too old", "docker-compose-plugin"),
        ({"compose": ()}, "no Compose plug-in", "docs.docker.com/compose"),
        (
            {"config_fault": "services.x Additional property y is not allowed", "config": {}},
            "Additional property",
            "fix",
        ),
    ],
)
def test_compose_must_be_new_enough_and_its_files_right(
    good: Facts, change: dict[str, Any], words: str, todo: str
) -> None:
    finding = only(replace(good, **change))
    assert finding.level == FAULT
    assert words in finding.message
    assert todo in finding.todo


@pytest.mark.parametrize(
    ("said", "todo"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "systemctl start docker"),
        ("permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
    ],
)
def test_an_engine_that_does_not_answer(said: str, todo: str) -> None:
    facts = Facts(stack="ollama", engine_fault=said, compose=(2, 26))
    assert todo in only(facts).todo


@pytest.mark.parametrize(
    ("stack", "compose", "old"),
    [
        ("ollama", (2, 23, 9), "2.24"),
        ("ollama", (2, 24, 0), ""),
        ("cpu", (2, 24, 3), "2.24.4"),
        ("cpu", (2, 24, 4), ""),
    ],
)
def test_the_overlays_need_a_newer_compose(good: Facts, stack: str, compose: tuple[int, ...], old: str) -> None:
    found = [
        finding for finding in checks.run(replace(good, stack=stack, compose=compose)) if finding.subject == "compose"
    ]
    assert [finding.level for finding in found] == ["FAULT" if old else "ok"]
    assert f"{old} is needed" in found[0].message if old else True


def test_no_docker_is_said_once() -> None:
    assert (
        "docs.docker.com"
        in only(Facts(stack="ollama", docker_fault="not installed", config_fault="not installed")).todo
    )


def test_a_remote_engine_is_said_to_be_unseen(good: Facts) -> None:
    facts = replace(good, remote=True, gpus=(), memory=None, disk=None)
    assert only(facts).level == WARNING


# --- cards


def with_card(card: Gpu, facts: Facts) -> Facts:
    return replace(facts, gpus=(facts.gpus[0], card))


@pytest.mark.parametrize(
    ("change", "words", "todo"),
    [
        ({"gpus": CARDS[:1]}, "vllm is pinned to card 1", "make up-single-gpu"),
        ({"config": plan(vllm_card="7")}, "vllm is pinned to card 7", "set VLLM_GPU in .env to one of 0, 1"),
        ({"config": plan(ollama_card="GPU-gone")}, "ollama is pinned to card GPU-gone", "OLLAMA_GPU"),
        ({"config": plan(vllm_card="0")}, "both pinned to card 0", "make up-single-gpu"),
        ({"toolkit": False}, "can't give containers a card", "nvidia-container-toolkit"),
        ({"settings": {"CUDA_VISIBLE_DEVICES": "1"}}, "CUDA_VISIBLE_DEVICES is set", "unset it"),
        ({"config": plan(CUDA_VISIBLE_DEVICES="1")}, "vllm is given CUDA_VISIBLE_DEVICES", "out of the compose file"),
        ({"gpus": (replace(CARDS[0], driver="535.183.01"), CARDS[1])}, "Ollama needs driver 550", "driver"),
        (
            {"gpus": (CARDS[0], replace(CARDS[1], compute=(7, 0)))},
            "compute capability 7.5, card 1 has 7.0",
            "another card",
        ),
        ({"gpus": (CARDS[0], replace(CARDS[1], free=10 * GIB))}, "would refuse to start", "nvidia-smi shows"),
    ],
)
def test_cards_that_are_not_as_the_plan_says(good: Facts, change: dict[str, Any], words: str, todo: str) -> None:
    finding = only(replace(good, **change))
    assert words in finding.message
    assert todo in finding.todo


def test_no_card_at_all_names_the_stacks_that_need_none(good: Facts) -> None:
    found = problems(replace(good, gpus=(), gpu_fault="NVIDIA-SMI has failed"))
    assert {finding.level for finding in found} == {FAULT}
    assert all("NVIDIA-SMI has failed" in finding.message and "make up-cpu" in finding.todo for finding in found)


def test_uuids_name_cards_too(good: Facts) -> None:
    assert problems(replace(good, config=plan(vllm_card=CARDS[1].uuid))) == []


def test_vllm_that_runs_already_has_its_memory(good: Facts) -> None:
    facts = with_card(replace(CARDS[1], free=2 * GIB), replace(good, running=frozenset({"vllm"})))
    assert problems(facts) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"GPU_MEMORY_UTILIZATION": "0.85"}, "add up to 0.93"),
        ({"GPU_MEMORY_UTILIZATION": "0.82"}, "add up to 0.9 "),
        ({"GPU_MEMORY_UTILIZATION": "0.75", "VLLM_RERANK_MODEL": "BAAI/bge-reranker-v2-m3"}, "add up to 0.91"),
        ({"GPU_MEMORY_UTILIZATION": "70%"}, "is no number"),
        ({"EMBED_MEMORY_UTILIZATION": "0.01"}, "VLLM_EMBED_MODEL nomic-ai/nomic-embed-text-v1.5"),
        ({"VLLM_MODEL": "Qwen/Qwen3-14B"}, "VLLM_MODEL Qwen/Qwen3-14B: about 31.6 GiB needed (27.6 GiB weights"),
        ({"VLLM_MAX_MODEL_LEN": "131072"}, "18.0 GiB for 131072 tokens"),
    ],
)
def test_shares_and_what_must_fit_into_them(good: Facts, settings: dict[str, str], words: str) -> None:
    finding = only(replace(good, config=plan(**settings)))
    assert finding.level == FAULT
    assert words in finding.message


def test_a_model_that_is_not_known_is_not_judged(good: Facts) -> None:
    finding = only(replace(good, config=plan(VLLM_MODEL="somebody/new-model")))
    assert (finding.level, "not a known model" in finding.message) == (WARNING, True)


def test_a_card_that_does_not_tell_its_memory_is_not_judged(good: Facts) -> None:
    (card,) = machine.parse_gpus("1, GPU-x, NVIDIA GB10, [N/A], [N/A], 580.95.05, 12.1\n")
    assert (card.total, card.compute) == (None, (12, 1))
    assert problems(with_card(card, good)) == []


def test_on_one_card_both_engines_must_fit(good: Facts) -> None:
    shares = {"GPU_MEMORY_UTILIZATION": "0.50", "EMBED_MEMORY_UTILIZATION": "0.06", "VLLM_MAX_MODEL_LEN": "8192"}
    one = replace(good, stack="single-gpu", gpus=CARDS[:1], config=plan("0", "0", **shares))
    assert problems(one) == []
    greedy = replace(one, config=plan("0", "0", **{**shares, "GPU_MEMORY_UTILIZATION": "0.75"}))
    assert "card 0 has" in only(greedy).message
    assert only(greedy).level == FAULT


def test_ollama_on_a_small_card_of_its_own_is_slow_but_works(good: Facts) -> None:
    small = replace(CARDS[0], total=4 * GIB, free=4 * GIB)
    assert only(replace(good, gpus=(small, CARDS[1]))).level == WARNING


# --- host


def with_ollama(facts: Facts, **change: Any) -> Facts:
    return replace(facts, stack="ollama", config=ollama_plan(), gpus=(), **change)


def test_more_cores_in_a_limit_than_there_are(good: Facts) -> None:
    finding = only(replace(good, engine={**good.engine, "NCPU": 1}))
    assert finding.level == FAULT
    assert "rag-service may use 2 cores and the machine has 1" in finding.message


@pytest.mark.parametrize(
    ("memory", "level", "words"),
    [
        (Memory(4 * GIB, 3 * GIB), FAULT, "need about 4.5 GiB and the machine has 4.0 GiB"),
        (Memory(16 * GIB, 2 * GIB), WARNING, "2.0 GiB of 16.0 GiB are free"),
        (Memory(12 * GIB, 11 * GIB), WARNING, "together may use 14.0 GiB"),
    ],
)
def test_memory(good: Facts, memory: Memory, level: str, words: str) -> None:
    finding = only(with_ollama(good, memory=memory))
    assert (finding.level, words in finding.message) == (level, True), finding


def test_a_model_above_its_containers_limit(good: Facts) -> None:
    config = ollama_plan()
    config["services"]["ollama"]["environment"]["OLLAMA_MODEL"] = "qwen3:14b"
    config["services"]["ollama"]["deploy"]["resources"]["limits"]["memory"] = str(8 * GIB)
    finding = only(replace(with_ollama(good), config=config))
    assert "ollama's models need about" in finding.message
    assert "OLLAMA_MEMORY" in finding.todo


def test_vllm_on_cpu_counts_its_weights_and_cache(good: Facts) -> None:
    config = plan(VLLM_DEVICE="cpu", VLLM_CPU_KVCACHE_SPACE="40")
    for name in ("vllm", "ollama"):
        config["services"][name]["deploy"] = {}
    finding = only(replace(good, stack="cpu", config=config, gpus=(), memory=Memory(48 * GIB, 40 * GIB)))
    assert finding.level == FAULT
    assert "the machine has 48.0 GiB" in finding.message


@pytest.mark.parametrize(("free", "level"), [(20 * GIB, FAULT), (45 * GIB, WARNING)])
def test_disk(good: Facts, free: int, level: str) -> None:
    facts = replace(good, disk=free)
    facts.config["services"]["vllm"]["image"] = "switchyard-vllm:0.1.0"
    finding = only(facts)
    assert (finding.level, finding.subject) == (level, "disk")


def test_what_is_there_already_needs_no_disk(good: Facts) -> None:
    facts = replace(good, disk=8 * GIB, volumes=frozenset({"ollama", "huggingface"}))
    images = frozenset(f"image-{name}" for name in facts.services)
    for name, service in facts.config["services"].items():
        service["image"] = f"image-{name}"
    assert problems(replace(facts, images=images)) == []


def test_a_port_that_somebody_has(good: Facts) -> None:
    finding = only(replace(good, ports_in_use={"127.0.0.1:8080": "Address already in use"}))
    assert "gateway needs 127.0.0.1:8080: Address already in use" in finding.message
    assert "set PORT in .env" in finding.todo


@pytest.fixture
def occupied() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_ports_are_tried_and_our_own_are_fine(occupied: int) -> None:
    config = {"services": {"gateway": {"ports": [{"host_ip": "127.0.0.1", "published": str(occupied)}]}}}
    address = f"127.0.0.1:{occupied}"
    assert machine.ports_in_use(config, set()) == {address: "Address already in use"}
    assert machine.ports_in_use(config, {address}) == {}


# --- settings


@pytest.mark.parametrize(
    ("dotenv", "found"),
    [
        ({"HF_TOKEN": "hf_x"}, True),
        ({"ADMIN_API_KEY": "x"}, True),
        ({"DATABASE_URL": "postgresql://u:p@db/x"}, True),
        ({"NOTES_DATABASE_URL": "postgresql://db/x"}, False),
        ({"HF_TOKEN": ""}, False),
        ({"HF_TOKEN_FILE": "./secrets/hf-token"}, False),
    ],
)
def test_secrets_do_not_belong_into_dotenv(good: Facts, dotenv: dict[str, str], found: bool) -> None:
    findings = problems(replace(good, dotenv=dotenv))
    assert [finding.level for finding in findings] == ([FAULT] if found else [])
    assert all(value not in finding.message for finding in findings for value in dotenv.values())


@pytest.mark.parametrize(
    ("secret", "level", "words"),
    [
        (Secret("/x/hf", fault="No such file or directory"), FAULT, "No such file"),
        (Secret("/x/hf", 37, 0o600), FAULT, "can't be read by the containers' user"),
        (Secret("/x/hf", 0), WARNING, "is empty"),
    ],
)
def test_secret_files(good: Facts, secret: Secret, level: str, words: str) -> None:
    finding = only(replace(good, secrets={"HF_TOKEN": secret}))
    assert (finding.level, words in finding.message) == (level, True)


def test_files_that_containers_cannot_read(good: Facts, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name, mode in (("open", 0o644), ("shut", 0o600)):
        (tmp_path / "deploy" / name).write_text("")
        (tmp_path / "deploy" / name).chmod(mode)
    found = machine.unreadable(tmp_path / "deploy")
    assert found == [str(tmp_path / "deploy" / "shut")]
    assert machine.unreadable(tmp_path / "gone") == [str(tmp_path / "gone")]
    finding = only(replace(good, unreadable=tuple(found * 2)))
    assert finding.level == "FAULT"
    assert "and 1 more" in finding.message


def test_a_secret_is_looked_at_and_not_into(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("x" * 20)
    path.chmod(0o640)
    assert secret(path) == Secret(str(path), 20, 0o640)
    assert secret(tmp_path / "none").fault == "No such file or directory"


def test_a_slip_of_the_pen_in_dotenv_is_told_with_what_was_meant(good: Facts) -> None:
    finding = only(
        replace(good, dotenv={"VLM_MODEL": "x", "GATEWAY_PORT": "1", "COMPOSE_FILE": "x", "HTTP_PROXY": "x"})
    )
    assert (finding.level, "VLM_MODEL" in finding.message, finding.todo) == (WARNING, True, "did you mean VLLM_MODEL?")


def test_dotenv_in_git(good: Facts, tmp_path: Path) -> None:
    assert "git rm --cached" in only(replace(good, dotenv_tracked=True)).todo
    assert machine.is_tracked(tmp_path) is False
    for words in (["init", "-q"], ["add", "-f", ".env"]):
        (tmp_path / ".env").write_text("A=1")
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    assert machine.is_tracked(tmp_path) is True


@pytest.mark.parametrize("name", ["llama3.2", "meta-llama/Llama-3.2-3B-Instruct", "google/gemma-3-4b-it"])
def test_a_gated_model_needs_a_token(good: Facts, name: str) -> None:
    facts = replace(good, config=plan(VLLM_MODEL=name), secrets={"HF_TOKEN": Secret("/s/none")})
    finding = only(facts)
    assert "Qwen/Qwen3-4B-Instruct-2507" in finding.todo
    assert problems(replace(facts, secrets={"HF_TOKEN": Secret("/s/hf", 37, 0o644)})) == []


def test_terms_are_named_and_the_non_commercial_ones_warned_of(good: Facts) -> None:
    finding = only(replace(good, config=plan(VLLM_MODEL="Qwen/Qwen2.5-3B-Instruct")))
    assert (finding.level, "NOT for commercial use" in finding.message) == (WARNING, True)
    terms = [finding.message for finding in checks.run(good) if finding.subject == "licence"]
    assert any("llama3.2: Llama community licence" in words for words in terms)


def test_every_name_of_ollama_leads_to_a_model_that_is_known() -> None:
    for name in ("llama3.2", "nomic-embed-text:latest", "qwen3:8b"):
        model = models.in_vllm(name)
        assert model is not None
        assert model.weights > (models.in_ollama(name) or model).weights
    assert models.in_vllm("nothing") is models.in_ollama("nothing") is None


def policy(**text: Any) -> dict[str, Any]:
    return {"roles": {"text": text, "vision": {"stable": "ollama"}}}


CHAIN = 'make switchyard DO="providers chain --role text --no-fallbacks"'


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ({"stable": "vllm", "fallbacks": ["ollama"]}, f"make use-ollama; {CHAIN}"),
        ({"stable": "ollama", "fallbacks": ["vllm"]}, CHAIN),
        ({"stable": "ollama", "candidate": "vllm"}, 'make switchyard DO="providers rollback --role text"'),
    ],
)
def test_a_policy_that_names_what_the_stack_lacks(good: Facts, text: dict[str, Any], steps: str) -> None:
    finding = only(with_ollama(good, policy=policy(**text), running=frozenset({"rag-service"})))
    assert "the policy names vllm for text" in finding.message
    assert finding.todo == f"{steps}; then start this stack"
    down = only(with_ollama(good, policy=policy(**text)))
    assert down.todo == f"make up-vllm; {steps}; then start this stack"
    assert problems(replace(good, policy=policy(**text))) == []


def test_embeddings_that_move_want_a_new_index(good: Facts) -> None:
    document = {"roles": {"embeddings": {"stable": "vllm"}, "rerank": {"stable": "embedded"}}}
    finding = only(with_ollama(good, policy=document, running=frozenset({"rag-service"})))
    assert 'make switchyard DO="providers use ollama --role embeddings"' in finding.todo
    assert 'make switchyard DO="reindex --provider ollama"' in finding.todo


# --- what tools print


def test_nvidia_smi() -> None:
    assert [card.index for card in CARDS] == ["0", "1"]
    assert CARDS[0].total == 24564 << 20
    assert CARDS[1].compute == (8, 9)
    assert machine.parse_gpus("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n") == ()
    assert machine.parse_gpus("No devices were found\n") == ()


def test_meminfo() -> None:
    assert machine.parse_memory(MEMINFO) == Memory(65843668 * 1024, 60012344 * 1024)
    assert machine.parse_memory("nothing") is None


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.26.1-4\n", (2, 26, 1)), ("Docker Compose version v2.24", (2, 24)), ("none", ())]
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert machine.version(text) == numbers


def test_setting_names() -> None:
    assert setting_names("# A comment = no\n#VLLM_MODEL=x\nGATEWAY_PORT=1\n# OLD_ONE=2\n") == {
        "VLLM_MODEL",
        "GATEWAY_PORT",
        "OLD_ONE",
    }


# --- all of it


def engine(docker: ScriptedDocker, config: dict[str, Any], **info: Any) -> None:
    whole = {"ServerVersion": "26.1.5", "NCPU": 64, "MemTotal": 64 << 30, "OperatingSystem": "Debian", **info}
    docker.on("info", out=json.dumps(whole))
    docker.on("compose", "version", out="2.26.1\n")
    docker.on("config", "--format", out=json.dumps(config))
    docker.on("image", "ls")
    docker.on("volume", "ls")


def smi(docker: ScriptedDocker, text: str) -> None:
    executable = docker.folder / "nvidia-smi"
    executable.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    executable.chmod(0o755)


def test_with_cards_and_toolkit_the_ollama_stack_takes_its_overlay(docker: ScriptedDocker, root: Path) -> None:
    engine(docker, {"services": {}}, Runtimes={"nvidia": {}, "runc": {}})
    docker.with_containers()
    smi(docker, SMI)
    project, facts = gather(root, docker.env, "ollama")
    assert facts.gpus == CARDS
    assert project.files == ("docker-compose.yml", "docker-compose.gpu.yml")


def test_the_policy_is_read_from_the_volume_when_all_is_down(docker: ScriptedDocker, root: Path) -> None:
    document = {"roles": {"text": {"stable": "vllm"}}}
    docker.on("volume", "ls", out="switchyard_policy\n")
    labels = {"com.docker.compose.volume": "policy"}
    docker.on("volume", "inspect", out=json.dumps([{"Name": "switchyard_policy", "Labels": labels}]))
    engine(docker, ollama_plan())
    docker.with_containers(container("rag-service", status="exited"))
    docker.on("run", out=json.dumps({"answers": {}, "policy": {"body": json.dumps(document)}}))
    _, facts = gather(root, docker.env, "ollama")
    assert facts.policy == document
    assert any("switchyard_policy:/data/policy:ro,nocopy" in call for call in docker.calls)


def test_preflight_ends_with_1_on_a_fault_only(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(docker, {"services": {"rag-service": {"deploy": {"resources": {"limits": {"cpus": "65"}}}}}})
    docker.with_containers()
    assert main(["preflight"], root, docker.env) == 1
    assert "FAULT" in capsys.readouterr().out
    docker.rules.clear()
    engine(docker, {"services": {"rag-service": {}}})
    docker.with_containers()
    assert main(["preflight", "vllm"], root, docker.env) == 0


def test_a_docker_that_is_not_there_is_a_fault_and_no_traceback(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight"], root, {"PATH": str(tmp_path)}) == 1
    assert "not installed" in capsys.readouterr().out

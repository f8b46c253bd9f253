"""`up` and `pull`: what they run, what stops a start, and the report on a failed one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchyard.stack import diagnosis
from switchyard.stack.__main__ import main

from .conftest import ScriptedDocker, container

CONFIG: dict[str, Any] = {
    "services": {
        "gateway": {"ports": [{"host_ip": "127.0.0.1", "published": "", "target": 8080}]},
        "rag-service": {},
    }
}


def engine(docker: ScriptedDocker, config: dict[str, Any] = CONFIG, *rows: dict[str, Any]) -> None:
    docker.on(
        "info", out=json.dumps({"ServerVersion": "26.1.5", "NCPU": 2, "MemTotal": 32 << 30, "OperatingSystem": "x"})
    )
    docker.on("compose", "version", out="2.26.1\n")
    docker.on("config", "--format", out=json.dumps(config))
    docker.on("image", "ls")
    docker.on("volume", "ls")
    docker.with_containers(*rows)


def started(docker: ScriptedDocker) -> list[list[str]]:
    return [call for call in docker.calls if "up" in call]


def test_up_builds_waits_and_says_where_to_go(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(docker)
    docker.on("compose", "up")
    assert main(["up", "cpu"], root, {**docker.env, "VERBOSE": "1"}) == 0
    output = capsys.readouterr().out
    assert "http://localhost:8080/" in output
    assert "make key" in output
    assert started(docker) == [
        [
            *(
                "compose",
                "--project-name",
                "switchyard",
                "-f",
                "docker-compose.vllm.yml",
                "-f",
                "docker-compose.cpu.yml",
            ),
            *("up", "-d", "--build", "--wait", "--remove-orphans"),
        ]
    ]


def test_each_image_is_a_line_unless_all_is_wanted(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = {name: {"build": {"context": "."}} for name in ("gateway", "rag-service")}
    engine(docker, {"services": {**built, "chroma": {"image": "chroma"}}})
    docker.on("build", out="#1 load\n" * 1300)
    docker.on("compose", "up")
    assert main(["up", "cpu"], root, docker.env) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if "image built in" in line] == ["gateway", "rag-service"]
    assert "#1 load" not in lines
    assert started(docker)[0][-5:] == ["up", "-d", "--quiet-pull", "--wait", "--remove-orphans"]


def test_of_a_build_that_fails_the_last_lines_are_shown(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(docker, {"services": {"rag-service": {"build": {"context": "."}}}})
    docker.on("build", out="#1 load\n" * 1300, err="#2 no such wheel\n", code=17)
    assert main(["up", "cpu"], root, docker.env) == 1
    output = capsys.readouterr()
    assert "#2 no such wheel" in output.out
    assert output.out.count("\n") < 60
    assert "VERBOSE=1" in output.err
    assert started(docker) == []


@pytest.mark.parametrize(("created", "changed"), [("2026-01-01T00:00:00Z", True), ("2099-01-01T00:00:00Z", False)])
def test_that_changed_settings_recreate_services_is_said_before(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str], created: str, changed: bool
) -> None:
    engine(docker, CONFIG, container("rag-service", created=created))
    docker.on("compose", "up")
    (root / ".env").write_text("PORT=9000\n")
    assert main(["up", "cpu"], root, docker.env) == 0
    assert ("are recreated now" in capsys.readouterr().out) is changed


def test_a_fault_stops_the_start_unless_forced(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(docker)
    docker.on("compose", "up")
    (root / ".env").write_text("HF_TOKEN=hf_secret\n")
    assert main(["up", "ollama"], root, docker.env) == 1
    output = capsys.readouterr()
    assert "HF_TOKEN is in .env" in output.out
    assert "hf_secret" not in output.out + output.err
    assert "--force" in output.err
    assert started(docker) == []
    assert main(["up", "ollama", "--force"], root, docker.env) == 0
    assert len(started(docker)) == 1


def test_a_failed_start_names_the_container_its_check_its_log_and_the_remedy(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = container("rag-service", status="created", health="")
    gated = container("vllm-models", status="exited", exit_code=77, health="", restart="on-failure")
    unhealthy = container("chroma", health="unhealthy", check="heartbeat: 503")
    engine(docker, CONFIG, waiting, gated, unhealthy, container("gateway"))
    docker.on("compose", "up", code=1)
    docker.on("logs", "vllm-models-id", out="[vllm] ERROR: meta-llama/X is gated: its owner gives it only to those\n")
    docker.on("logs", out="listening\n", err="a warning\n")
    assert main(["up", "cpu"], root, docker.env) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "chroma is unhealthy: heartbeat: 503",
        "vllm-models has ended with 77",
        "rag-service: waits for other containers",
    ]
    assert "    a warning" in lines
    assert any(line.startswith("  -> accept the licence") for line in lines)


def test_a_start_that_fails_at_once_points_to_compose(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(docker)
    docker.on("compose", "up", code=17)
    assert main(["up", "cpu"], root, docker.env) == 17
    assert "see its message above" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Bind for 127.0.0.1:8080 failed: port is already allocated", "another program uses the port"),
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', "give containers a card"),
        ("write /var/lib/ollama/x: no space left on device", "disk is full"),
        ("range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "fewer cores"),
        ("ValueError: Free memory on device cuda:0 (3.1/79.1 GiB)", "card is too small"),
        (
            "SettingsError: the policy in /data/policy/policy.json does not fit the environment",
            "policy names a backend",
        ),
        ("dial tcp: lookup registry.ollama.ai: no such host", "come from the internet"),
        ("all is well", ""),
    ],
)
def test_known_causes_have_a_remedy(said: str, remedy: str) -> None:
    found = diagnosis.advice(["", said])
    assert remedy in found
    assert bool(found) == bool(remedy)


def test_pull_fetches_builds_and_runs_the_one_shots(docker: ScriptedDocker, root: Path) -> None:
    docker.on("ps")
    docker.on("config", "--services", out="rag-service\nvllm-models\nollama-models\n")
    docker.on("config", "--format", out=json.dumps({"services": {}}))
    docker.on("compose")
    assert main(["pull"], root, docker.env) == 0
    assert [call[5:] for call in docker.calls if call[0] == "compose" and "config" not in call] == [
        ["pull", "--ignore-buildable"],
        ["build"],
        ["run", "--rm", "--no-deps", "ollama-models"],
        ["run", "--rm", "--no-deps", "vllm-models"],
    ]


def test_pull_records_digests_and_names_a_tag_that_means_another_image(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = {
        "chroma": {"image": "chroma:1"},
        "rag-service": {"image": "rag", "build": {}},
        "ollama": {"image": "ollama:2"},
    }
    for digest, said in (
        ("aaa", []),
        ("aaa", []),
        ("bbb", ["chroma:1 is another image than before: sha256:aaa -> sha256:bbb"]),
    ):
        docker.rules.clear()
        docker.on("ps")
        docker.on("config", "--services", out="chroma\n")
        docker.on("config", "--format", out=json.dumps({"services": services}))
        docker.on("image", "inspect", "chroma:1", out=f"chroma@sha256:{digest} mirror/chroma@sha256:{digest}\n")
        docker.on("image", "inspect", "ollama:2", code=1, err="No such image")
        docker.on("compose")
        assert main(["pull"], root, docker.env) == 0
        assert capsys.readouterr().out.splitlines() == [*said, "1 digests are recorded in image-digests.json"]
        assert json.loads((root / "image-digests.json").read_text()) == {"chroma:1": f"sha256:{digest}"}


def test_pull_ends_with_the_first_failure(docker: ScriptedDocker, root: Path) -> None:
    docker.on("ps")
    docker.on("config", "--services", out="ollama-models\n")
    docker.on("pull", code=18)
    docker.on("compose")
    assert main(["pull"], root, docker.env) == 18
    assert not any("build" in call for call in docker.calls)

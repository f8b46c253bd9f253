"""Which compose files a verb works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchyard.stack import settings, stacks
from switchyard.stack.__main__ import main
from switchyard.stack.errors import Stopped

from .conftest import ScriptedDocker, container


@pytest.mark.parametrize(
    ("stack", "gpu", "files"),
    [
        ("ollama", False, ["docker-compose.yml"]),
        ("ollama", True, ["docker-compose.yml", "docker-compose.gpu.yml"]),
        ("vllm", True, ["docker-compose.vllm.yml"]),
        ("cpu", True, ["docker-compose.vllm.yml", "docker-compose.cpu.yml"]),
        ("single-gpu", True, ["docker-compose.vllm.yml", "docker-compose.single-gpu.yml"]),
    ],
)
def test_each_stack_has_its_files(stack: str, gpu: bool, files: list[str]) -> None:
    assert list(stacks.files_of(stack, gpu)) == files


def test_an_unknown_stack_is_refused_with_those_there_are() -> None:
    with pytest.raises(Stopped, match="no stack 'gpu'") as stopped:
        stacks.files_of("gpu", gpu=True)
    assert "single-gpu" in stopped.value.todo


def test_compose_works_on_the_files_of_the_newest_container(docker: ScriptedDocker, root: Path) -> None:
    vllm, cpu = (str(root / f"docker-compose.{name}.yml") for name in ("vllm", "cpu"))
    docker.with_containers(
        container("ollama", files=str(root / "docker-compose.yml"), created="2026-11-20T08:00:00Z"),
        container("vllm", files=f"{vllm},{cpu}", created="2026-11-21T08:00:00Z"),
    )
    docker.on("compose", code=7)
    assert main(["compose", "--profile", "monitoring", "top", "--help"], root, docker.env) == 7
    assert docker.calls[-1] == [
        *("compose", "--project-name", "switchyard", "-f", vllm, "-f", cpu),
        *("--profile", "monitoring", "top", "--help"),
    ]


def test_files_that_were_moved_with_the_checkout_are_found_by_name(docker: ScriptedDocker, root: Path) -> None:
    docker.with_containers(container("vllm", files="/gone/docker-compose.vllm.yml"))
    docker.on("compose")
    main(["down"], root, docker.env)
    assert str(root / "docker-compose.vllm.yml") in docker.calls[-1]


def test_without_containers_the_ollama_stack_is_meant(docker: ScriptedDocker, root: Path) -> None:
    docker.on("ps")
    docker.on("compose")
    main(["down"], root, docker.env)
    assert docker.calls[-1][3:5] == ["-f", "docker-compose.yml"]


def test_logs_in_a_pipe_are_the_last_lines_and_say_so(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(container("rag-service"))
    docker.on("compose")
    assert main(["logs", "rag-service"], root, docker.env) == 0
    assert docker.calls[-1][-4:] == ["logs", "--tail", "100", "rag-service"]
    assert "the last 100 lines" in capsys.readouterr().err


def test_logs_of_a_stack_without_containers_say_where_others_are(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers()
    (root / "data" / "demo").mkdir(parents=True)
    (root / "data" / "demo" / "switchyard.log").touch()
    assert main(["logs"], root, docker.env) == 1
    error = capsys.readouterr().err
    assert "data/demo/switchyard.log" in error
    assert "make up" in error


@pytest.mark.parametrize("place", ["environment", "dotenv"])
def test_compose_file_wins_and_is_left_to_compose(docker: ScriptedDocker, root: Path, place: str) -> None:
    docker.on("compose")
    env = docker.env
    if place == "environment":
        env["COMPOSE_FILE"] = "docker-compose.yml:mine.yml"
    else:
        (root / ".env").write_text("COMPOSE_FILE=docker-compose.yml:mine.yml\n")
    main(["compose", "ps"], root, env)
    assert docker.calls == [["compose", "--project-name", "switchyard", "ps"]]
    assert stacks.of_stack(root, env, "ollama", gpu=True).files == ()


@pytest.mark.parametrize("verb", ["up", "preflight"])
def test_a_compose_file_of_another_stack_is_refused(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    docker.on("info", out="{}")
    (root / ".env").write_text("COMPOSE_FILE=docker-compose.yml:mine.yml\n")
    assert main([verb, "vllm"], root, docker.env) == 1
    error = capsys.readouterr().err
    assert "COMPOSE_FILE in .env is docker-compose.yml:mine.yml" in error
    assert "add docker-compose.vllm.yml to it" in error
    assert not any("up" in call for call in docker.calls)


def test_down_keeps_volumes_and_takes_every_profile(docker: ScriptedDocker, root: Path) -> None:
    docker.on("ps")
    docker.on("compose")
    assert main(["down"], root, docker.env) == 0
    assert docker.calls[-1][5:] == ["--profile", "*", "down", "--remove-orphans"]


def test_the_project_is_named_by_the_environment_or_the_file(root: Path) -> None:
    assert stacks.project_name(root, {}) == "switchyard"
    assert stacks.project_name(root, {"COMPOSE_PROJECT_NAME": "mine"}) == "mine"
    (root / "other.yml").write_text("name: 'other-one' # why not\n")
    assert stacks.project_name(root, {"COMPOSE_FILE": "other.yml:docker-compose.yml"}) == "other-one"


def test_without_docker_it_says_how_to_get_it(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"], root, {"PATH": str(tmp_path)}) == 1
    assert "docs.docker.com" in capsys.readouterr().err


def test_dotenv_is_read_as_compose_does() -> None:
    text = "# a comment\nA=1\nexport B = two words # no more\nC='# kept' # not\nD=\"x\"\n\nE=\nnonsense\nF=a#b\n"
    assert settings.parse(text) == {"A": "1", "B": "two words", "C": "# kept", "D": "x", "E": "", "F": "a#b"}


def test_the_environment_wins_over_dotenv(root: Path) -> None:
    (root / ".env").write_text("A=file\nB=file\n")
    assert settings.read(root, {"A": "mine"}) == {"A": "mine", "B": "file"}

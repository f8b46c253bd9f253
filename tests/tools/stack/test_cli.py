"""`cli`: the switchyard command gets the address and the key of the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchyard.stack.__main__ import main

from .conftest import ScriptedDocker, container

SHOW = ("sh", "-c", 'echo "$SWITCHYARD_URL $SWITCHYARD_API_KEY $1"; exit 7', "sh", "--percent")


def test_it_gets_address_and_key_of_the_running_stack(
    docker: ScriptedDocker, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(
        container("rag-service"), container("gateway", ports={"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "9090"}]})
    )
    docker.on("exec", "rag-service-id", out="sy-secret\n")
    assert main(["cli", *SHOW], root, docker.env) == 7
    assert capfd.readouterr().out == "http://127.0.0.1:9090 sy-secret --percent\n"


def test_what_the_environment_says_counts(
    docker: ScriptedDocker, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(
        container("rag-service"),
        container("gateway", ports={"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}]}),
    )
    docker.on("exec", "rag-service-id", out="sy-secret\n")
    assert main(["cli", *SHOW], root, {**docker.env, "SWITCHYARD_API_KEY": "sy-mine"}) == 7
    assert capfd.readouterr().out == "http://127.0.0.1:9090 sy-mine --percent\n"


@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_without_a_stack_or_docker_it_runs_as_it_is(
    docker: ScriptedDocker, root: Path, capfd: pytest.CaptureFixture[str], path: str | None
) -> None:
    docker.with_containers()
    environment = docker.env if path is None else {"PATH": path}
    command = ("/bin/sh", *SHOW[1:])
    assert main(["cli", *command], root, environment) == 7
    assert capfd.readouterr().out == "  --percent\n"


def test_a_program_that_is_not_there(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker.with_containers()
    assert main(["cli", ".venv/bin/switchyard"], root, docker.env) == 1
    assert "make setup" in capsys.readouterr().err


def test_a_stack_without_its_first_key_says_so(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(
        container("rag-service"),
        container("gateway", ports={"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}]}),
    )
    docker.on("exec", err="cat: /data/auth/first-key: No such file or directory", code=1)
    assert main(["cli", *SHOW], root, docker.env) == 1
    assert "was revoked" in capsys.readouterr().err
    assert main(["cli", *SHOW], root, {**docker.env, "SWITCHYARD_API_KEY": "sy-mine"}) == 7


@pytest.mark.parametrize(
    ("rows", "what", "todo"),
    [
        ([], "has no container", "make up"),
        ([container("gateway", status="exited", exit_code=137)], "was killed", "docker start switchyard-gateway-1"),
    ],
)
def test_a_stack_without_its_gateway_says_so(
    docker: ScriptedDocker,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[dict[str, object]],
    what: str,
    todo: str,
) -> None:
    docker.with_containers(container("rag-service"), *rows)
    assert main(["cli", *SHOW], root, docker.env) == 1
    error = capsys.readouterr().err
    assert f"gateway, which {what}" in error
    assert todo in error

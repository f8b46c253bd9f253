"""`key`: only the key on stdout, and clear words where there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from switchyard.installation import announced, running
from switchyard.stack.__main__ import main

from .conftest import ScriptedDocker, container


def test_prints_nothing_but_the_key(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker.with_containers(container("rag-service"))
    docker.on("exec", "rag-service-id", "cat", "/data/auth/first-key", out="sy-secret\n")
    assert main(["key"], root, docker.env) == 0
    assert capsys.readouterr().out == "sy-secret\n"


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([], "", "does not exist"),
        ([container("rag-service", status="exited")], "", "is exited"),
        ([container("rag-service")], "cat: /data/auth/first-key: No such file or directory", "ADMIN_API_KEY"),
        ([container("rag-service")], "Error response from daemon: no", "Error response from daemon: no"),
    ],
)
def test_says_why_there_is_none(
    docker: ScriptedDocker,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[dict[str, object]],
    error: str,
    words: str,
) -> None:
    docker.with_containers(*rows)
    docker.on("exec", err=error, code=1)
    assert main(["key"], root, docker.env) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert words in output.err


def test_an_empty_file_is_no_key(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker.with_containers(container("rag-service"))
    docker.on("exec", out="\n")
    assert main(["key"], root, docker.env) == 1
    assert "empty" in capsys.readouterr().err


def test_without_a_stack_in_docker_it_is_that_of_the_process_without(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers()
    for folder, key in (("data", "sy-data\n"), ("data/demo", "sy-demo\n")):
        (root / folder / "auth").mkdir(parents=True)
        (root / folder / "auth" / "first-key").write_text(key)
    assert main(["key"], root, docker.env) == 0
    assert capsys.readouterr().out == "sy-data\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with announced(root / "data/demo", f"http://127.0.0.1:{listening.getsockname()[1]}"):
            assert main(["key"], root, {"PATH": "/nowhere"}) == 0
        assert capsys.readouterr().out == "sy-demo\n"


def test_a_process_that_was_killed_does_not_count_as_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (tmp_path / "address").write_text(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        assert running([tmp_path]) is not None
    assert running([tmp_path]) is None


def test_keys_before_the_start_says_what_to_start(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(container("rag-service", status="created"))
    assert main(["keys", "create", "anna"], root, docker.env) == 1
    error = capsys.readouterr().err
    assert "its container is created" in error
    assert "make up" in error
    assert not any("exec" in call for call in docker.calls)


def test_keys_are_made_in_the_service_with_the_arguments_as_they_are(docker: ScriptedDocker, root: Path) -> None:
    docker.with_containers(container("rag-service"))
    docker.on("exec", code=3)
    assert main(["keys", "create", "anna", "--collection", "a b"], root, docker.env) == 3
    assert docker.calls[-1] == [
        *("exec", "-i", "rag-service-id", "python", "-m", "service_kit.manage_keys"),
        *("create", "anna", "--collection", "a b"),
    ]

"""`key`: only the key on stdout, and clear words where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

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

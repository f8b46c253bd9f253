"""Backup and restore against an engine that fails where a real one would not do so on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchyard.services import VOLUMES, WRITERS
from switchyard.stack import backup as backups
from switchyard.stack.__main__ import main
from switchyard.stack.errors import Stopped

from .conftest import ScriptedDocker, container


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    root = tmp_path / "volumes"
    for name in VOLUMES:
        (root / name).mkdir(parents=True)
        (root / name / "data").write_text(name)
    return root


def running(docker: ScriptedDocker) -> None:
    docker.with_containers(*(container(name) for name in ("rag-service", "notes-service", "chroma", "gateway")))
    docker.with_volumes(*VOLUMES)
    docker.on("unpause")


def verbs(docker: ScriptedDocker) -> list[str]:
    return [call[0] for call in docker.calls]


def test_the_writers_are_paused_while_the_snapshot_is_taken(
    docker: ScriptedDocker, root: Path, volumes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running(docker)
    docker.on("run", volumes=volumes)
    docker.on("pause")
    assert main(["backup", "--to", "kept"], root, docker.env) == 0
    output = capsys.readouterr().out
    assert "chroma, notes-service, rag-service paused for" in output
    assert "verified" in output
    paused, released = (next(call for call in docker.calls if call[0] == word) for word in ("pause", "unpause"))
    assert paused[1:] == released[1:] == ["chroma-id", "notes-service-id", "rag-service-id"]
    made = list((root / "kept").iterdir())
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600]
    started = next(call for call in docker.calls if call[0] == "run")
    assert {"--read-only", "none", "ALL", "switchyard_rag:/volumes/rag:nocopy"} <= set(started)


def test_the_round_trip_when_nothing_runs(docker: ScriptedDocker, root: Path, volumes: Path) -> None:
    docker.with_containers(container("rag-service", status="exited"))
    docker.with_volumes(*VOLUMES)
    docker.on("run", volumes=volumes)
    assert main(["backup"], root, docker.env) == 0
    assert "pause" not in verbs(docker)
    archive = str(next((root / "backups").iterdir()))
    (volumes / "rag" / "data").write_text("changed")
    assert main(["restore", archive], root, docker.env) == 1
    assert (volumes / "rag" / "data").read_text() == "changed"
    assert main(["restore", archive, "--force"], root, docker.env) == 0
    assert (volumes / "rag" / "data").read_text() == "rag"


def test_a_backup_of_a_half_started_stack_is_not_called_one(
    docker: ScriptedDocker, root: Path, volumes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers(container("rag-service", status="exited"))
    docker.with_volumes(*VOLUMES)
    docker.on("run", volumes=volumes)
    (volumes / "notes" / "data").unlink()
    assert main(["backup"], root, docker.env) == 1
    error = capsys.readouterr().err
    assert "NOT a backup of a stack that has run: notes held nothing yet" in error
    assert "make status" in error


def test_restore_without_a_file_names_the_newest(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.with_containers()
    assert main(["restore"], root, docker.env) == 1
    assert "make backup makes one" in capsys.readouterr().err
    (root / "backups").mkdir()
    for day in ("20261120", "20261126"):
        (root / "backups" / f"switchyard-{day}-120000.tar.gz").touch()
    assert main(["restore"], root, docker.env) == 1
    assert "make restore FILE=backups/switchyard-20261126-120000.tar.gz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"words": ("pause",), "err": "cannot pause", "code": 1}, "cannot pause"),
        (
            {"words": ("run",), "err": "/app/bin/python: No module named service_kit.volumes", "code": 1},
            "image is older than this checkout",
        ),
        (
            {"words": ("run",), "err": 'The container name "/x" is already in use by container "y"', "code": 125},
            "another",
        ),
        ({"words": ("run",), "err": "OSError: [Errno 28] No space left on device", "code": 1}, "No space left"),
        (
            {"words": ("run",), "out": '{"copied": 1, "total": 1, "free": 1000}\n{}\n', "reads": 2, "code": 1},
            "without a message",
        ),
        (
            {"words": ("run",), "out": '{"copied": 1, "total": 1, "free": 9}\n{}\n{"left_out": []}\nxx', "reads": 3},
            "not written correctly",
        ),
    ],
)
def test_a_failure_leaves_nothing_paused_and_no_archive(
    docker: ScriptedDocker,
    root: Path,
    volumes: Path,
    capsys: pytest.CaptureFixture[str],
    rule: dict[str, object],
    words: str,
) -> None:
    running(docker)
    given = dict(rule)
    docker.on(*given.pop("words"), **given)  # type: ignore[misc, arg-type]
    docker.on("pause")
    docker.on("run", volumes=volumes)
    docker.on("stop")
    docker.on("inspect", "--format", out="rag-service-id paused\n")
    assert main(["backup"], root, docker.env) == 1
    assert words in capsys.readouterr().err
    if "pause" in verbs(docker):
        assert "unpause" in verbs(docker)[verbs(docker).index("pause") :]
    assert list((root / "backups").glob("*")) == []


def test_space_is_checked_before_anything_is_paused(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"the snapshot takes 2\.0 KiB"):
        backups._require_space({"free": 1000, "copied": 2048, "total": 3000}, tmp_path)
    with pytest.raises(Stopped, match="the archive may take") as stopped:
        backups._require_space({"free": 1000, "copied": 10, "total": 1 << 60}, tmp_path)
    assert "FOLDER=" in stopped.value.todo


def test_rows_in_postgresql_are_told_of_and_not_pretended(
    docker: ScriptedDocker, root: Path, volumes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "secrets").mkdir()
    (root / "secrets" / "rows").write_text("postgresql://u:hidden@db/rows")
    (root / ".env").write_text("DATABASE_URL_FILE=./secrets/rows\nNOTES_DATABASE_URL_FILE=./secrets/none\n")
    docker.with_containers(container("rag-service", status="exited"))
    docker.with_volumes(*VOLUMES)
    docker.on("run", volumes=volumes)
    assert main(["backup"], root, docker.env) == 0
    output = capsys.readouterr().out
    assert "NOT in the archive: the rows that DATABASE_URL" in output
    assert "docs/operations.md#backup" in output
    assert "hidden" not in output


@pytest.mark.parametrize("state", ["running", "paused", "restarting"])
def test_restore_refuses_while_anything_runs(
    docker: ScriptedDocker, root: Path, volumes: Path, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    docker.with_containers(container("rag-service", status="exited"))
    docker.with_volumes(*VOLUMES)
    docker.on("run", volumes=volumes)
    main(["backup"], root, docker.env)
    docker.rules.clear()
    docker.with_containers(container("gateway", status=state))
    archive = str(next((root / "backups").iterdir()))
    assert main(["restore", archive, "--force"], root, docker.env) == 1
    assert "make down" in capsys.readouterr().err


def test_restore_touches_nothing_for_a_damaged_archive(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.on("ps")
    (root / "bad.tar.gz").write_bytes(b"\x1f\x8b")
    assert main(["restore", "bad.tar.gz"], root, docker.env) == 1
    assert main(["restore", "none.tar.gz"], root, docker.env) == 1
    output = capsys.readouterr().err
    assert "bad.tar.gz is damaged" in output
    assert "none.tar.gz can't be read" in output
    assert "run" not in verbs(docker)


def test_missing_volumes_are_made_by_compose_and_its_containers_removed(
    docker: ScriptedDocker, root: Path, volumes: Path
) -> None:
    docker.with_containers(container("rag-service", status="exited"))
    docker.with_volumes(*VOLUMES)
    docker.on("run", volumes=volumes)
    main(["backup"], root, docker.env)
    docker.rules.clear()
    docker.on("ps")
    docker.on("volume", "ls")
    docker.on("config", out=json.dumps({"services": {"rag-service": {}}}))
    docker.on("image", "inspect", out="sha256:x\n")
    docker.on("up", "--no-start")
    assert main(["restore", str(next((root / "backups").iterdir()))], root, docker.env) == 1
    made = next(call for call in docker.calls if "--no-start" in call)
    assert made[-3 - len(WRITERS) :] == ["--no-start", "--no-deps", "--no-recreate", *WRITERS]

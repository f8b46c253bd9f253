"""The `switchyard` command, as typed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest

from harness.ports import free_port
from service_kit.keys import KeyStore, Scope
from switchyard.installation import announced
from switchyard.server import retire_second_key


def switchyard(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "switchyard", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **env},
        check=False,
    )


def test_without_arguments_it_prints_its_commands() -> None:
    shown = switchyard().stdout
    for command in ("up", "demo", "add", "ask", "status", "reindex", "keys", "eval", "bench"):
        assert f" {command} " in shown


def test_it_says_its_version() -> None:
    assert switchyard("--version").stdout.strip() == f"switchyard {version('switchyard')}"


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = switchyard("keys", "create", "guest", "--collection", "public", "--data-dir", str(tmp_path))
    key = KeyStore(tmp_path / "auth").find(made.stdout.strip())
    assert key is not None
    assert (key.scope, key.collections) == (Scope.USER, ("public",))
    listed = switchyard("keys", "list", "--data-dir", str(tmp_path)).stdout
    assert "guest" in listed
    assert made.stdout.strip() not in listed
    assert switchyard("keys", "revoke", key.id, "--data-dir", str(tmp_path)).returncode == 0
    gone = switchyard("keys", "revoke", key.id, "--data-dir", str(tmp_path))
    assert gone.returncode == 1
    assert "no key" in gone.stderr


def test_the_second_key_of_earlier_releases_is_revoked(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "auth")
    secret = keys.create("cli", Scope.ADMIN)
    (tmp_path / "cli-key").write_text(secret)
    for _ in range(2):
        retire_second_key(tmp_path, keys)
        assert keys.find(secret) is None
        assert not (tmp_path / "cli-key").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status", "--url", "http://127.0.0.1:9"), "nothing answers at http://127.0.0.1:9; start it with"),
        (("ask", "Why?", "--url", "http://127.0.0.1:9"), "nothing answers at"),
        (("up",), "docker compose up"),
        (("eval", "retrieval", "nowhere", "squad_en", "--url", "http://127.0.0.1:9"), "No such file"),
    ],
)
def test_what_goes_wrong_is_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    ended = switchyard(*arguments, SWITCHYARD_API_KEY="sy-x")
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_key_says_where_one_would_be(tmp_path: Path) -> None:
    ended = switchyard("ask", "Why?", "--data-dir", str(tmp_path), SWITCHYARD_API_KEY="")
    assert ended.returncode == 1
    assert "SWITCHYARD_API_KEY" in ended.stderr


def test_the_key_and_the_address_are_those_of_the_process_that_runs_in_the_checkout(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demo"
    first = KeyStore(folder / "auth").ensure_first()
    assert first is not None
    shown = switchyard("key", "--data-dir", str(folder))
    assert (shown.stdout, shown.returncode) == (f"{first}\n", 0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        asked: list[bytes] = []

        def answer() -> None:
            for _ in range(3):  # two looks whether anything answers there, and the question
                connection = listening.accept()[0]
                with connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" if asked[-1] else b"")

        thread = Thread(target=answer)
        thread.start()
        with announced(folder, url):
            ended = switchyard("ask", "Why?", cwd=tmp_path, SWITCHYARD_API_KEY="")
        thread.join(30)
    assert f"401 from {url}" in ended.stderr
    assert f"Bearer {first}".encode() in asked[-1]


def test_a_wrong_setting_names_its_variable(tmp_path: Path) -> None:
    port = str(free_port())
    for name, value in (("MAX_UPLOAD_MB", "lots"), ("LLM_PROVIDER", "magic"), ("OLLAMA_URL", "nowhere")):
        ended = switchyard("up", "--embedded", "--port", port, "--data-dir", str(tmp_path), **{name: value})
        assert ended.returncode == 1
        assert name in ended.stderr
        assert "Traceback" not in ended.stderr

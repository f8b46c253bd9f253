"""Backup and restore on a real engine, with services that write all the time: what was consistent stays so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.process import takes_interrupts

pytestmark = pytest.mark.compose
SHARED, TOOLS = (Path(__file__).parents[3] / name / "src" for name in ("shared", "tools"))
WRITER = """\
import hashlib, os, pathlib, sqlite3, time
data = pathlib.Path("/data")
os.umask(0o077)
database = sqlite3.connect(data / "rows.db", isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, sha TEXT, filler TEXT)")
n = database.execute("SELECT coalesce(max(n), 0) FROM rows").fetchone()[0]
while True:
    n += 1
    content = f"original {n}".encode()
    sha = hashlib.sha256(content).hexdigest()
    folder = data / "originals" / sha[:2]
    folder.mkdir(parents=True, exist_ok=True)
    incoming = data / "originals" / "incoming-1"
    incoming.write_bytes(content)
    incoming.replace(folder / sha)
    database.execute("INSERT INTO rows VALUES (?, ?, ?)", (n, sha, "x" * 500))
    time.sleep(0.001)
"""
SLOW = """\
#!/bin/sh
{docker} "$@" || exit
if [ "$1" = pause ]; then touch {marker}; tail --pid=$PPID -f /dev/null; fi
"""
CHECK = """\
import hashlib, pathlib, sqlite3, sys
data = pathlib.Path("/data")
database = sqlite3.connect(data / "rows.db")
assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
rows = database.execute("SELECT n, sha FROM rows ORDER BY n").fetchall()
assert [n for n, _ in rows] == list(range(1, len(rows) + 1))
for n, sha in rows:
    assert (data / "originals" / sha[:2] / sha).read_text() == f"original {n}"
found = (data / "rows.db").stat()
print(len(rows), found.st_uid, oct(found.st_mode & 0o777), (data / "auth" / "key").read_text())
"""
COMPOSE = """\
services:
  rag-service: &writer
    image: switchyard-test/writer
    build:
      context: {shared}
      dockerfile_inline: |
        FROM python:3.11-slim-bookworm
        COPY service_kit /usr/local/lib/python3.11/site-packages/service_kit
    user: "10001:10001"
    init: true
    entrypoint: ["python3", "/writer.py"]
    configs: [{source: writer, target: /writer.py}]
    volumes: ["rag:/data", "keys:/data/auth"]
  notes-service:
    <<: *writer
    volumes: ["notes:/data", "policy:/data/policy"]
  doc-processor:
    <<: *writer
    volumes: ["processor-audit:/data"]
  graph-service:
    <<: *writer
    volumes: ["graph:/data"]
  chroma:
    <<: *writer
    volumes: ["chroma:/data"]
configs: {writer: {file: ./writer.py}}
volumes: {rag: {}, notes: {}, processor-audit: {}, graph: {}, chroma: {}, keys: {}, policy: {}}
"""


class Stack:
    """A small project of our own, and the command that operates it."""

    def __init__(self, root: Path) -> None:
        self.root, self.name = root, f"backup-test-{os.getpid()}"
        self.env = {**os.environ, "PYTHONPATH": f"{TOOLS}:{SHARED}", "COMPOSE_PROJECT_NAME": self.name}
        (root / "docker-compose.yml").write_text(COMPOSE.replace("{shared}", str(SHARED)))
        (root / "writer.py").write_text(WRITER)
        (root / "writer.py").chmod(0o644)

    def docker(self, *args: str) -> str:
        return subprocess.run(
            ["docker", *args], cwd=self.root, env=self.env, capture_output=True, text=True, check=True
        ).stdout

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "switchyard.stack", *args],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=takes_interrupts,
        )

    def run(self, *args: str) -> tuple[int, str]:
        with self.start(*args) as process:
            output, _ = process.communicate()
        return process.returncode, output

    def volume(self, program: str, *, user: str = "10001", **mounts: str) -> str:
        """Run `program` on volumes of the project."""
        words = [word for name, place in mounts.items() for word in ("-v", f"{self.name}_{name}:{place}")]
        image = "python:3.11-slim-bookworm"
        return self.docker("run", "--rm", "--user", user, *words, image, "python3", "-c", program).strip()

    def check(self, volume: str) -> list[str]:
        """Raise if rows and originals in `volume` don't fit each other; return rows, owner, mode and key."""
        return self.volume(CHECK, **{volume: "/data", "keys": "/data/auth"}).split()

    def states(self) -> set[str]:
        return set(self.docker("compose", "ps", "-a", "--format", "{{.State}}").split())


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    made.docker("compose", "create")
    for volume in ("rag", "notes", "processor-audit", "graph", "chroma", "keys", "policy"):
        made.volume("import os; os.chown('/v', 10001, 10001); os.chmod('/v', 0o750)", user="0", **{volume: "/v"})
    made.volume("open('/v/key', 'w').write('secret')", keys="/v")
    made.docker("compose", "up", "-d")
    yield made
    made.docker("compose", "down", "-v", "-t", "1")


def wait_for_rows(stack: Stack, least: int) -> None:
    deadline = time.monotonic() + 60
    while int(stack.check("rag")[0]) < least:
        assert time.monotonic() < deadline


def test_everything_comes_back_as_it_was_in_one_instant(stack: Stack) -> None:
    wait_for_rows(stack, 200)
    code, output = stack.run("backup")
    assert code == 0, output
    assert "paused for" in output
    assert stack.states() == {"running"}
    archive = next((stack.root / "backups").glob("switchyard-*.tar.gz"))
    assert archive.stat().st_mode & 0o777 == 0o600
    assert stack.volume("import os; print(os.listdir('/v'))", rag="/v").count("switchyard") == 0

    assert stack.run("restore", str(archive))[0] == 1, "it runs"
    before = int(stack.check("rag")[0])
    stack.docker("compose", "down", "-v", "-t", "1")
    code, output = stack.run("restore", str(archive))
    assert code == 0, output
    rows, owner, mode, key = stack.check("rag")
    assert 200 <= int(rows) <= before
    assert (owner, mode, key) == ("10001", "0o600", "secret")
    assert stack.volume("import os; s = os.stat('/v'); print(s.st_uid, oct(s.st_mode))", rag="/v") == "10001 0o40750"
    labels = stack.docker("volume", "inspect", "--format", "{{.Labels}}", f"{stack.name}_rag")
    assert f"com.docker.compose.project:{stack.name}" in labels

    code, output = stack.run("restore", str(archive))
    assert (code, "FORCE=1" in output) == (1, True), output
    stack.volume("import pathlib; pathlib.Path('/v/later').write_text('x')", rag="/v")
    assert stack.run("restore", str(archive), "--force")[0] == 0
    assert stack.check("rag")[0] == rows
    assert "later" not in stack.volume("import os; print(os.listdir('/v'))", rag="/v")
    assert stack.check("notes")
    assert stack.check("chroma")
    stack.docker("compose", "up", "-d")
    wait_for_rows(stack, int(rows) + 10)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_backup_that_is_ended_leaves_nothing_paused_and_the_next_clears_up(stack: Stack, ending: int) -> None:
    wait_for_rows(stack, 100)
    shim, marker, before = stack.root / "bin", stack.root / "paused", dict(stack.env)
    shim.mkdir()
    (shim / "docker").write_text(SLOW.format(docker=shutil.which("docker"), marker=marker))
    (shim / "docker").chmod(0o755)
    stack.env["PATH"] = f"{shim}:{before['PATH']}"
    process = stack.start("backup")
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    assert stack.states() == {"paused"}
    process.send_signal(ending)
    process.communicate()
    assert process.returncode != 0
    stack.env = before
    while stack.states() != {"running"}:
        assert time.monotonic() < deadline
    while f"{stack.name}-backup" in stack.docker("ps", "-a", "--format", "{{.Names}}"):
        assert time.monotonic() < deadline
    assert list((stack.root / "backups").glob("*")) == []
    assert stack.run("backup")[0] == 0
    assert stack.volume("import os; print(os.listdir('/v'))", rag="/v").count("switchyard") == 0

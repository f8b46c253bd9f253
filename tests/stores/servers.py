"""Real PostgreSQL and Chroma servers, started by the tests, stopped by their own process."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

import httpx2
import psycopg

from harness.ports import free_port

_START_SECONDS = 30


class Server(ABC):
    """A process that can be stopped and started again on the same port and the same data."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is up."""

    def user(self) -> str | None:
        return None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command(), user=self.user(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + _START_SECONDS
        while not self.answers():
            assert self._process.poll() is None, f"{self.command()[0]} ended at start"
            assert time.monotonic() < end, f"{self.command()[0]} does not answer"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


class Postgres(Server):
    """A cluster of its own in a folder of its own; PostgreSQL refuses to run as root."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if (user := self.user()) is not None:
            os.chown(self.folder, pwd.getpwnam(user).pw_uid, -1)
        made = [
            self._program("initdb"),
            "-D",
            str(self.folder / "data"),
            "-U",
            "switchyard",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run([*made, "--locale=C.UTF-8", "--no-sync"], user=self.user(), check=True, capture_output=True)

    def user(self) -> str | None:
        return "nobody" if os.getuid() == 0 else None

    def command(self) -> list[str]:
        options = f"-c listen_addresses=127.0.0.1 -c fsync=off -k {self.folder} -p {self.port}".split()
        return [self._program("postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://switchyard@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @staticmethod
    def _program(name: str) -> str:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [Path(shutil.which(name) or "")]
        assert found[-1].is_file(), f"{name} is not installed: run scripts/stores.sh"
        return str(found[-1])


class Chroma(Server):
    """The Rust server that comes with the package, which is the one in the official image."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        program = str(Path(sys.executable).with_name("chroma"))
        return [program, "run", "--path", str(self._folder), "--host", "127.0.0.1", "--port", str(self.port)]

    def answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/api/v2/heartbeat", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

"""The all-in-one process: in the foreground, or in the background for the demo and the benchmarks."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from switchyard.client import StackError
from switchyard.installation import FIRST_KEY, announced, first_key

if TYPE_CHECKING:
    from service_kit.keys import KeyStore

_START_SECONDS = 60
_STOP_SECONDS = 25


def serve(data_dir: Path, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; the first start prints an admin key."""
    os.environ.setdefault("LLM_PROVIDER", "embedded")
    _require_free(host, port)
    # After the check: these imports take most of the start-up time.
    from service_kit.first_key import prepare_keys
    from service_kit.keys import KeyStore
    from service_kit.server import keep_private, require_writable, server
    from service_kit.settings import ServiceSettings, load
    from switchyard.allinone import create

    settings = load(ServiceSettings).model_copy(update={"log_format": "console" if sys.stderr.isatty() else "json"})
    require_writable(data_dir)
    keep_private(data_dir)
    store = KeyStore(data_dir / "auth")
    prepare_keys(store, settings)
    retire_second_key(data_dir, store)
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    configured = server(create(data_dir, url), settings, host=host, port=port)
    if sys.stdout.isatty():
        print(f"Page and API: {url}/   Admin key: cat {data_dir / FIRST_KEY}", flush=True)
    with announced(data_dir, url):
        asyncio.run(configured.serve())


@contextmanager
def background(data_dir: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `switchyard up --embedded` as a child process, ready when the block begins and stopped when it ends."""
    _require_free("127.0.0.1", port)
    data_dir.mkdir(parents=True, exist_ok=True)
    command = ["switchyard", "up", "--embedded", "--port", str(port), "--data-dir", str(data_dir)]
    with child(command, f"http://127.0.0.1:{port}/readyz", log_of(data_dir)) as process:
        yield process


def log_of(data_dir: Path) -> Path:
    """Return where a process in the background writes its log."""
    return data_dir / "switchyard.log"


@contextmanager
def child(command: Sequence[str], ready_url: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module with arguments as a child process; raises `StackError` unless `ready_url` answers 200 in time."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_ready(process, ready_url, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def own_key(data_dir: Path) -> str:
    """Return the admin key of an installation in `data_dir`: its first key, made at the first use, or ADMIN_API_KEY."""
    from service_kit.keys import KeyStore

    key = KeyStore(data_dir / "auth").ensure_first() or first_key(data_dir) or os.environ.get("ADMIN_API_KEY")
    if not key:
        raise StackError(
            f"{data_dir / FIRST_KEY} does not exist: the first key was revoked. Set ADMIN_API_KEY to a key of your own, "
            f"or make one: `switchyard keys create NAME --admin --data-dir {data_dir}`"
        )
    return key


def retire_second_key(data_dir: Path, store: KeyStore) -> None:
    """Revoke the key that earlier releases made for the command line, which uses the first key now."""
    earlier = data_dir / "cli-key"
    if earlier.exists():
        if (key := store.find(earlier.read_text().strip())) is not None:
            store.revoke(key.id)
        earlier.unlink()


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(f"port {port} on {host} is in use: choose another with --port") from error


def has_stopped(process: subprocess.Popen[bytes], log: Path) -> StackError:
    """Return that the process has ended, with the end of its log."""
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    return StackError(f"the stack's process has stopped (status {process.returncode}); the end of {log}:\n{tail}")


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise has_stopped(process, log)
        try:
            if httpx2.get(url, timeout=5).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    raise StackError(f"{url} is not ready after {_START_SECONDS} s; see {log}")

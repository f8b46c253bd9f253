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

import httpx2

from switchyard.client import StackError

_START_SECONDS = 60
_STOP_SECONDS = 25


def serve(data_dir: Path, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; the first start prints an admin key."""
    os.environ.setdefault("LLM_PROVIDER", "embedded")
    _require_free(host, port)
    # After the check: these imports take most of the start-up time.
    from service_kit.app import prepare_keys
    from service_kit.keys import KeyStore
    from service_kit.server import keep_private, require_writable, server
    from service_kit.settings import ServiceSettings, load
    from switchyard.allinone import create

    settings = load(ServiceSettings).model_copy(update={"log_format": "console" if sys.stderr.isatty() else "json"})
    require_writable(data_dir)
    keep_private(data_dir)
    prepare_keys(KeyStore(data_dir / "auth"), settings)
    own_key(data_dir)
    loopback = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    configured = server(create(data_dir, f"http://{loopback}:{port}"), settings, host=host, port=port)
    asyncio.run(configured.serve())


@contextmanager
def background(data_dir: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `switchyard up --embedded` as a child process, ready when the block begins and stopped when it ends."""
    _require_free("127.0.0.1", port)
    data_dir.mkdir(parents=True, exist_ok=True)
    command = ["switchyard", "up", "--embedded", "--port", str(port), "--data-dir", str(data_dir)]
    with child(command, f"http://127.0.0.1:{port}/readyz", data_dir / "switchyard.log") as process:
        yield process


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
    """Return the command line's own admin key for an installation in `data_dir`, made at the first use."""
    from llm_providers.files import SharedFile
    from service_kit.keys import KeyStore, Scope

    store, saved = KeyStore(data_dir / "auth"), SharedFile(data_dir / "cli-key", mode=0o600)
    key = saved.read().strip() if saved.path.exists() else ""
    if store.find(key) is None:
        key = store.create("command line", Scope.ADMIN)
        saved.write(key)
    return key


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(f"port {port} on {host} is in use: choose another with --port") from error


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            raise StackError(f"the process stopped at start; the end of {log}:\n{tail}")
        try:
            if httpx2.get(url, timeout=5).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    raise StackError(f"{url} is not ready after {_START_SECONDS} s; see {log}")

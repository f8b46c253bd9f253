"""The all-in-one process, as a person starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from switchyard.client import Client
from switchyard.server import own_key

_START_SECONDS = 240
"""On a busy machine; it takes five where nothing else runs."""


def takes_interrupts() -> None:
    """To be run in a child: as from a terminal, interrupts end it. A child of a shell's background job ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Process:
    """One run of `switchyard up --embedded`; may be killed and started again on the same folder."""

    data_dir: Path
    port: int
    env: dict[str, str]
    child: subprocess.Popen[bytes] | None = None
    client: Client | None = None

    def start(self) -> Client:
        command = [sys.executable, "-m", "switchyard", "up", "--embedded", "--port", str(self.port)]
        with (self.data_dir / "out.log").open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)], stdout=log, stderr=log, env=self.env
            )
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            assert self.child.poll() is None, (self.data_dir / "out.log").read_text()
            try:
                if httpx2.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    self.client = Client(f"http://127.0.0.1:{self.port}", own_key(self.data_dir))
                    return self.client
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready after {_START_SECONDS} s")

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.child is not None
        if self.client is not None:
            self.client.http.close()
        self.child.send_signal(number)
        return self.child.wait(30)

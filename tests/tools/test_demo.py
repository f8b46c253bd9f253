"""`switchyard demo`, on a terminal: what it prints, the link that signs in, and the end of its stack."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from harness.ports import free_port
from harness.process import takes_interrupts

pytestmark = pytest.mark.live
EXAMPLES = Path(__file__).parents[2] / "examples"
ANSWERS = (
    "8,100 cubic metres",
    "before 1 November 2026",
    "1,400 m²",
    "4 euro",
    "This was not found in your documents",
    "postponed to May 2027",
)


def printed(terminal: int) -> Iterator[str]:
    """Yield what is printed, until the terminal closes."""
    with suppress(OSError):
        while part := os.read(terminal, 1 << 16):
            yield part.decode(errors="replace")


def test_it_ends_with_a_link_that_signs_in_once_and_notices_that_its_stack_died(
    tmp_path: Path, embedded_model_dir: Path
) -> None:
    url = f"http://localhost:{(port := free_port())}"
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "switchyard", "demo", "--port", str(port)]
    demo = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data"), "--examples", str(EXAMPLES)],
        stdin=subprocess.DEVNULL,
        stdout=inner,
        stderr=inner,
        preexec_fn=takes_interrupts,
        env={**os.environ, "EMBEDDED_MODEL_DIR": str(embedded_model_dir), "COLUMNS": "200"},
    )
    os.close(inner)
    try:
        text, parts = "", printed(terminal)
        link = None
        while link is None:
            text += next(parts, "") or (_ for _ in ()).throw(AssertionError(text))
            link = re.search(rf"{re.escape(url)}/#once=(\S+)\r\n", text)
        assert [words for words in ANSWERS if words not in text] == []
        assert not re.search(r"^House Day Night", text, re.MULTILINE)
        assert f"--port {port} --data-dir {tmp_path / 'data'}" in text

        secret = {"Authorization": f"Bearer {link[1]}"}
        session = httpx2.post(f"http://127.0.0.1:{port}/rag/v1/session", headers=secret)
        assert session.status_code == 201
        assert session.json()["admin"] is True
        assert httpx2.post(f"http://127.0.0.1:{port}/rag/v1/session", headers=secret).status_code == 401

        [stack] = subprocess.run(
            ["pgrep", "-P", str(demo.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        os.kill(int(stack), signal.SIGKILL)
        ended = "".join(parts)
        assert demo.wait(30) == 1
        assert "the stack's process has stopped (status -9); the end of" in ended
    finally:
        if demo.poll() is None:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
        os.close(terminal)


def test_what_ends_it_ends_its_stack(tmp_path: Path, embedded_model_dir: Path) -> None:
    command = [sys.executable, "-m", "switchyard", "demo", "--port", str(port := free_port())]
    demo = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path), "--examples", str(EXAMPLES)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "EMBEDDED_MODEL_DIR": str(embedded_model_dir), "COLUMNS": "200"},
    )
    assert demo.stdout is not None
    with demo.stdout:
        assert any("Adding documents" in line for line in demo.stdout)
        demo.terminate()
        demo.stdout.read()
    assert demo.wait(60) != 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/livez")

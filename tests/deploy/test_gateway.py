"""The gateway's limits, by a real nginx where this machine has one (the Compose tests always have)."""

from __future__ import annotations

import getpass
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.ports import free_port
from switchyard.page import POLICY

GATEWAY = Path(__file__).parents[2] / "services" / "gateway"
WEB = Path(__file__).parents[2] / "tools" / "src" / "switchyard" / "web"
VALUES = {
    "ANONYMOUS_REQUESTS_PER_MINUTE": "10",
    "REQUESTS_PER_SECOND": "1000",
    "CONNECTIONS_PER_ADDRESS": "100",
    "MAX_BODY_MB": "1",
    "MAX_UPLOAD_MB": "1",
    "PATHS": "rag",
}


class Service(http.server.BaseHTTPRequestHandler):
    """Answers with the path that it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A gateway with one service behind it."""
    if (nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")) is None:
        pytest.skip("there is no nginx here")
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=behind.serve_forever).start()
    port = free_port()
    config = (GATEWAY / "nginx.conf").read_text()
    for name, value in VALUES.items():
        config = config.replace(f"@{name}@", value)
    config = config.replace("/etc/switchyard/", f"{GATEWAY}/").replace("/usr/share/switchyard/web", str(WEB))
    config = config.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{tmp_path}/")
    # Started by root, its workers would be somebody who may not see the files of this test.
    (tmp_path / "nginx.conf").write_text(f"user {getpass.getuser()};\n{config}" if os.getuid() == 0 else config)
    (tmp_path / "services.conf").write_text(f"rag 127.0.0.1:{behind.server_address[1]};\n")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("page")
    tmp_path.chmod(0o755)
    command = [nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                assert ask(port, "/healthz")[0] == 200
                break
            except OSError:
                assert time.monotonic() < end
                assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait()
        behind.shutdown()
        behind.server_close()


def ask(port: int, path: str, *headers: str) -> tuple[int, str]:
    """Ask for a path as it is: clients resolve its dots."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        lines = [f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        said = b"".join(iter(lambda: connection.recv(4096), b"")).decode(errors="replace")
    return int(said.split()[1]), said


@pytest.mark.parametrize(
    "path",
    [
        "/rag/v1/models",
        "/rag/docs/../v1/models",
        "/rag/docs/%2e%2e/v1/models",
        "/rag/docs%2f..%2fv1/models",
        "/rag/livez/%2E%2E/v1/models?a=/livez",
        "//rag//v1/models",
        "/x/../rag/v1/models",
    ],
)
def test_whatever_the_path_looks_like_strangers_have_their_allowance(port: int, path: str) -> None:
    answers = [ask(port, path) for _ in range(12)]
    assert [status for status, _ in answers] == [200] * 11 + [429]
    assert "\r\n/v1/models" in answers[0][1]
    assert ask(port, "/rag/livez")[0] == 200
    assert ask(port, path, "X-API-Key: sy-any")[0] == 200


def test_a_session_is_no_stranger(port: int) -> None:
    answers = [ask(port, "/rag/v1/models", "Cookie: switchyard_session=any") for _ in range(12)]
    assert [status for status, _ in answers] == [200] * 12
    assert [ask(port, "/rag/v1/session")[0] for _ in range(12)] == [200] * 12


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/web/app.js", "text/javascript"), ("/web/style.css", "text/css")]
)
def test_the_page_may_load_nothing_from_elsewhere(port: int, path: str, kind: str) -> None:
    status, said = ask(port, path)
    assert (status, f"content-type: {kind}" in said.lower()) == (200, True)
    assert said.count("Content-Security-Policy: ") == 1
    assert f"Content-Security-Policy: {POLICY}\r\n" in said
    assert "gzip" in ask(port, "/web/app.js", "Accept-Encoding: gzip")[1].split("\r\n\r\n")[0]


def test_what_service_and_gateway_both_say_is_said_once(port: int) -> None:
    _, said = ask(port, "/rag/livez")
    for name in ("x-content-type-options", "x-frame-options", "referrer-policy"):
        assert said.lower().count(f"{name}:") == 1

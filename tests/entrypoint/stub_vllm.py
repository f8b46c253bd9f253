"""A fake `vllm` command: records how it was called, loads as long as a control file exists, serves, and drains.

Everything lies in the folder STUB_DIR. It writes `events`, one JSON object a line. It reads, per port: `PORT.die` (end
with this status instead of serving), `PORT.hold` (stay unhealthy while it exists), `PORT.busy` (on SIGTERM, wait until
it is gone), `PORT.metrics` (what /metrics says), `PORT.answers` (the status of every POST).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(os.environ["STUB_DIR"])
PORT = int(sys.argv[sys.argv.index("--port") + 1])


def control(what: str) -> Path:
    return FOLDER / f"{PORT}.{what}"


def note(event: str, **more: object) -> None:
    line = json.dumps({"event": event, "port": PORT, "pid": os.getpid(), "at": time.monotonic(), **more})
    with (FOLDER / "events").open("a") as events:
        events.write(line + "\n")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            held = control("hold").exists()
            note("health", status=503 if held else 200)
            self._answer(503 if held else 200, b"")
        else:
            self._answer(200, control("metrics").read_bytes() if control("metrics").exists() else b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        note("post", path=self.path, body=json.loads(body), authorization=self.headers["Authorization"])
        self._answer(int(control("answers").read_text()) if control("answers").exists() else 200, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_address = True

    def server_bind(self) -> None:
        # The parent's would ask for the machine's name first, which takes seconds where there is no resolver.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "stub", PORT


def drain(*_: object) -> None:
    note("terminated")
    while control("busy").exists():
        time.sleep(0.02)
    sys.stdout.write("drained\n")
    sys.stdout.flush()
    note("ended")
    os._exit(0)


def main() -> None:
    note("started", argv=sys.argv[1:], env=dict(os.environ), ppid=os.getppid())
    sys.stdout.write("loading\n")
    sys.stdout.flush()
    sys.stderr.write("a warning\n")
    if control("die").exists():
        sys.exit(int(control("die").read_text()))
    signal.signal(signal.SIGTERM, drain)
    server = Server(("127.0.0.1", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        signal.pause()


main()

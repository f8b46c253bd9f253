"""A Hugging Face Hub of our own: a few files per model, gates, and failures on request."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

COMMIT = "a" * 40
TEXT_FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}',
    "model.safetensors": b"w" * 300_000,
    "pytorch_model.bin": b"the same again",
    "original/consolidated.00.pth": b"and again",
    "model-Q4.gguf": b"and again",
    "onnx/model.onnx": b"and again",
}
READ = {"config.json", "tokenizer.json", "model.safetensors"}


@dataclass
class Hub:
    """What it holds, and what it was asked."""

    models: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    fail_first: int = 0
    """So many requests get no proper answer."""
    cut_after: int | None = None
    """The first big file is cut after so many bytes."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path, and the range that was asked for."""
    url: str = ""

    @contextmanager
    def serving(self) -> Iterator[Hub]:
        class Bound(_Handler):
            hub = self

        with ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield self
            server.shutdown()
            thread.join()

    def fetched(self) -> set[str]:
        """The files whose contents were asked for."""
        return {
            path.split(COMMIT + "/")[1]
            for method, path, _ in self.requests
            if method == "GET" and COMMIT in path and "/resolve/" in path
        }


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path, self.headers["Range"]))
        if self.hub.fail_first > 0:
            self.hub.fail_first -= 1
            self.close_connection = True
            return
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            self._info(found[1])
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+", path):
            self._json(200, [self._entry(name, data) for name, data in self.hub.models[found[1]].items()])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(found[1], found[2])
        else:
            self._json(404, {"error": "not found"})

    def _info(self, model: str) -> None:
        if model not in self.hub.models:
            self._json(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
            return
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.hub.models[model].items()]
        gated = "manual" if model in self.hub.gated else False
        self._json(200, {"id": model, "sha": COMMIT, "gated": gated, "siblings": siblings, "tags": []})

    @staticmethod
    def _entry(name: str, data: bytes) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def _file(self, model: str, name: str) -> None:
        if model in self.hub.gated and self.headers["Authorization"] != "Bearer good":
            self._json(403, {"error": "gated"}, **{"X-Error-Code": "GatedRepo"})
            return
        data = self.hub.models[model][name]
        start = int((self.headers["Range"] or "bytes=0-")[len("bytes=") :].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "GET":
            self._send(data[start:])

    def _send(self, data: bytes) -> None:
        if self.hub.cut_after is not None and len(data) > self.hub.cut_after:
            data, self.hub.cut_after, self.close_connection = data[: self.hub.cut_after], None, True
        self.wfile.write(data)

    def _json(self, status: int, body: object, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass

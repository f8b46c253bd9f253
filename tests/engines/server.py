"""An aiohttp server in a thread of its own, with a script of faults and a record of what it saw."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from weakref import WeakSet

from aiohttp import web

from engines import answers
from engines.faults import Fault


@dataclass(slots=True)
class Seen:
    """One request as the engine saw it; `finished` is set when the engine is done with it, however that came."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    peer: str = ""
    outcome: str = "running"
    at: float = field(default_factory=time.monotonic)
    sent: int = 0
    finished: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)

    @property
    def cancelled(self) -> bool:
        """Whether the client went away before the answer was whole."""
        return self.outcome == "cancelled"


SEEN: web.RequestKey[Seen] = web.RequestKey("seen", Seen)
FAULT: web.RequestKey[Fault | None] = web.RequestKey("fault", Fault | None)  # type: ignore[arg-type]


@dataclass
class Engine(ABC):
    """What both dialects share; `with Engine(...) as engine:` serves on `engine.port` until the block ends."""

    models: list[str] = field(default_factory=lambda: ["llama3.2", "nomic-embed-text", "llava"])
    context: int = 4096
    dimension: int = 64
    seed: int = 0
    api_key: str | None = None
    thoughts: str = ""
    thought_style: str = "reasoning_content"
    """The field of the thoughts; or "inline", between tags; or "prefilled", with the closing tag only."""
    lacks: frozenset[str] = frozenset()
    """What this server does not have or know, of a dialect that others have."""
    owned_by: str = "vllm"
    template: str = ""
    """The chat template that it names, where its dialect has a place for one."""
    path_prefix: str = ""
    answer: Callable[[str], str] = answers.default_answer
    json_answer: Callable[[Mapping[str, Any], str], str] = answers.json_answer
    delay: float = 0.0
    port: int = 0
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self.seen: list[Seen] = []
        self._script: list[tuple[Fault, str]] = []
        self._lasting: list[tuple[Fault, str, Iterator[bool]]] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._sockets = WeakSet[asyncio.BaseTransport]()

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """What the dialect answers to."""

    @abstractmethod
    def error_body(self, status: int, message: str) -> dict[str, Any]:
        """How the dialect says an error."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self.path_prefix}"

    # --- the script

    def script(self, fault: Fault, *, times: int = 1, path: str = "") -> None:
        """Let the next `times` requests whose path ends in `path` meet `fault`."""
        with self._lock:
            self._script.extend([(fault, path)] * times)

    def always(self, fault: Fault, *, path: str = "", every: int = 1) -> None:
        """Let every request, or one in `every`, meet `fault`, until `heal()`."""
        with self._lock:
            self._lasting.append((fault, path, itertools.cycle([True] + [False] * (every - 1))))

    def heal(self) -> None:
        with self._lock:
            self._script.clear()
            self._lasting.clear()

    def next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for entry in self._script:
                if path.endswith(entry[1]):
                    self._script.remove(entry)
                    return entry[0]
            return next((fault for fault, suffix, due in self._lasting if path.endswith(suffix) and next(due)), None)

    def requests(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.endswith(path)]

    # --- life

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the engine did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the listening socket and every connection, as a killed process would."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self.app(), handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, reuse_address=True)
        await site.start()
        server = site._server
        if isinstance(server, asyncio.Server):
            self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        await site.stop()
        await _settled()
        for transport in list(self._sockets):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        await runner.cleanup()
        await _settled()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._observe], client_max_size=64 * 2**20)
        routes = [web.route(r.method, self.path_prefix + r.path, r.handler) for r in self.routes()]
        app.add_routes([*routes, web.post("/_script", self._post_script), web.get("/_requests", self._get_seen)])
        return app

    async def _post_script(self, request: web.Request) -> web.Response:
        """Script a fault from another process: `{"fault": {"kind": "cut", "after": 2}, "times": 1, "path": ""}`."""
        body = await request.json()
        if not body:
            self.heal()
        elif body.get("times") is None:
            self.always(Fault.from_json(body["fault"]), path=body.get("path", ""), every=body.get("every", 1))
        else:
            self.script(Fault.from_json(body["fault"]), times=body["times"], path=body.get("path", ""))
        return web.json_response({"pending": [asdict(fault) for fault, _ in self._script]})

    async def _get_seen(self, _: web.Request) -> web.Response:
        return web.json_response(
            [{"path": s.path, "body": s.body, "outcome": s.outcome, "sent": s.sent, "at": s.at} for s in self.seen]
        )

    # --- one request

    @web.middleware
    async def _observe(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await handler(request)  # type: ignore[no-any-return]
        if request.transport is not None:
            self._sockets.add(request.transport)
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            return self.refuse(400, "the body is not JSON")
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        seen = Seen(request.path, body, dict(request.headers), f"{peer}")
        fault = self.next_fault(request.path)
        request[SEEN], request[FAULT] = seen, fault
        self.seen.append(seen)
        try:
            response: web.StreamResponse = await self._answer(request, handler)
            seen.outcome = "done" if fault is None else fault.kind
            return response
        except (asyncio.CancelledError, ConnectionResetError):
            seen.outcome = "cancelled"
            raise
        finally:
            seen.finished.set()

    async def _answer(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        fault: Fault | None = request[FAULT]
        if fault is not None and fault.kind == "status":
            return self.refuse(fault.status, fault.message, fault.headers)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.after == 0:
            if fault.kind == "cut":
                return self.cut(request)
            if fault.kind == "hang":
                await asyncio.Event().wait()
        if self.api_key is not None and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        return await handler(request)  # type: ignore[no-any-return]

    def cut(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        return web.json_response(self.error_body(status, message), status=status, headers=headers)

    async def paced(self, request: web.Request, parts: Iterable[str]) -> AsyncIterator[str]:
        """Yield the answer's pieces, one `delay` apart, until the scripted fault's moment."""
        fault: Fault | None = request[FAULT]
        stops = fault is not None and fault.kind in {"cut", "no_end", "abort", "error_line", "malformed", "hang"}
        seen: Seen = request[SEEN]
        for part in parts:
            if stops and fault is not None and seen.sent >= fault.after:
                return
            if self.delay:
                await asyncio.sleep(self.delay)
            yield part
            seen.sent += 1
            seen.started.set()


async def _settled() -> None:
    """Let the loop finish what is under way: connections that it is accepting, or closing, would be left open by its end."""
    for _ in range(5):
        await asyncio.sleep(0)


def run_forever(engine: Engine) -> None:
    """Serve until the process is told to stop."""

    async def serve() -> None:
        runner = web.AppRunner(engine.app(), handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, engine.host, engine.port, reuse_address=True).start()
        await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        return


def main(kind: type[Engine], port: int) -> None:
    """Run an engine as a process of its own."""
    parser = argparse.ArgumentParser(description=kind.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--context", type=int, default=32768)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between the pieces of an answer")
    parser.add_argument("--model", action="append", dest="models", default=argparse.SUPPRESS)
    parser.add_argument("--words", type=int, help="answer with this many numbered words, whatever is asked")
    args = vars(parser.parse_args())
    words = args.pop("words")
    engine = kind(**args)
    if words:
        engine.answer = answers.numbered(words)
    run_forever(engine)

"""A stand-in for the services' side of live migration, on a real socket: policy, windows, answers, and faults on request."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from switchyard.client import Client
from switchyard.policy import PATHS

ADMIN, USER = "sy-admin", "sy-user"
Script = Callable[[str, int], list[tuple[str, Any]]]
"""(question, number of the request) → events; the event "cut" closes the socket, "status" refuses, "wait" waits."""


def answer(text: str, *, provider: str, tokens: int | None = None, **more: Any) -> list[tuple[str, Any]]:
    """A whole answer as events."""
    words = [f"{word} " for word in text.split()]
    done = {
        "usage": {"prompt_tokens": 9, "completion_tokens": tokens or len(words), "estimated": False},
        "seconds": {"total": 0.1},
        "provider": provider,
        "model": f"{provider}-model",
        "citations": [{"document_id": "d1", "title": "Manual", "page": 3, "quote": "q", "label": "1"}],
        "answered": True,
        "degraded": [],
        "warnings": [],
        "finish_reason": "stop",
        **more,
    }
    return [("sources", {"items": []}), *(("token", {"text": word}) for word in words), ("done", done)]


def role(stable: str, **more: Any) -> dict[str, Any]:
    nothing = {"fallbacks": [], "candidate": None, "canary_percent": 0, "shadow_percent": 0, "halted": False}
    return {"stable": stable, **nothing, "on_break": "continue", "previous": None, **more}


GATES = {"window_seconds": 300, "min_requests": 20, "max_error_rate": 0.05, "max_p95_seconds": 20}
ENVIRONMENT = {
    "ollama": {"text": {"model": "llama3.2", "context_tokens": 4096, "engine": "ollama", "quantisation": "Q4_K_M"}},
    "vllm": {"text": {"model": "llama3.2", "context_tokens": 8192, "engine": "vllm", "precision": "bfloat16"}},
}


@dataclass
class StandIn:
    """What the tests set, and what they look at afterwards."""

    revision: int = 4
    roles: dict[str, Any] = field(
        default_factory=lambda: {"text": role("ollama"), "vision": role("ollama"), "embeddings": role("ollama")}
    )
    gates: dict[str, Any] = field(default_factory=lambda: dict(GATES))
    backends: dict[str, list[str]] = field(
        default_factory=lambda: {"ollama": ["text", "embeddings", "vision"], "vllm": ["text", "embeddings"]}
    )
    changed: dict[str, str] = field(
        default_factory=lambda: {"by": "environment", "at": datetime.now(UTC).isoformat(), "why": "first"}
    )
    stuck: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    stale: int = 0
    check: dict[str, Any] = field(default_factory=lambda: {"ok": True, "model": "llama3.2", "seconds": 0.2})
    parity: dict[str, Any] = field(
        default_factory=lambda: {
            "passed": True, "cosine": 0.9999, "rank_agreement": 1.0, "samples": 40, "dimensions": [384, 384], "recorded": True,
        }
    )  # fmt: skip
    collections: dict[str, list[dict[str, Any]]] | None = None
    ready: bool = True
    traffic: int = 50
    window: dict[str, Any] = field(default_factory=lambda: {"error_rate": 0.0, "p95_seconds": 1.5})
    shadow: dict[str, Any] = field(default_factory=lambda: {"mean_similarity": 0.9, "json_valid_rate": 1.0})
    shadow_fails: float = 0.0
    trip_at: float | None = None
    on_read: Callable[[StandIn], None] | None = None
    answers: dict[str, Script] = field(default_factory=dict)
    puts: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    reads: int = 0
    compared: float = 0.0
    seen: float = 0.0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def policy(self) -> dict[str, Any]:
        return {"roles": self.roles, "gates": self.gates}

    @property
    def text(self) -> dict[str, Any]:
        found: dict[str, Any] = self.roles["text"]
        return found

    def become(self, roles: dict[str, Any], by: str, why: str) -> None:
        if roles["text"]["canary_percent"] != self.text["canary_percent"]:
            # As the services do: another share is another trial.
            self.seen = 0
        self.roles = roles
        self.revision += 1
        self.changed = {"by": by, "at": datetime.now(UTC).isoformat(), "why": why}

    def set_text(self, by: str, why: str, **changes: Any) -> None:
        """Change the policy as somebody else would."""
        self.become({**self.roles, "text": {**self.text, **changes}}, by, why)

    def begin_anew(self) -> None:
        """Be as at first, at the same address."""
        self.roles, self.puts, self.seen, self.compared = StandIn().roles, [], 0, 0

    # --- the server

    def app(self) -> web.Application:
        app = web.Application()
        for service in PATHS:
            app.add_routes(
                [
                    web.get(f"/{service}/v1/providers", self._get),
                    web.put(f"/{service}/v1/providers", self._put),
                    web.get(f"/{service}/readyz", self._readyz),
                ]
            )
        app.add_routes(
            [
                web.post("/rag/v1/providers/check", self._check),
                web.get("/rag/v1/providers/environment", self._environment),
                web.get("/rag/v1/providers/audit", self._audit),
                web.post("/rag/v1/providers/parity", self._parity),
                web.post("/rag/v1/query", self._query),
                web.get("/rag/v1/collections", self._collections),
                web.get("/rag/v1/collections/{name}", self._collection),
            ]
        )
        return app

    async def _get(self, request: web.Request) -> web.Response:
        service = request.path.split("/")[1]
        if service == "rag":
            self.reads += 1
            if self.on_read is not None:
                self.on_read(self)
            self._traffic()
        if service in self.absent:
            raise web.HTTPNotFound
        view = self.view()
        return web.json_response({**view, "revision": 1} if service in self.stuck else view)

    def _traffic(self) -> None:
        now = self.text
        self.seen += self.traffic * now["canary_percent"] / 100
        self.compared += self.traffic * now["shadow_percent"] / 100
        if self.trip_at is not None and now["canary_percent"] >= self.trip_at:
            why = "gate max_error_rate: 40 % of 25 requests failed, at most 5 %"
            self.set_text("gate", why, canary_percent=0)

    def view(self) -> dict[str, Any]:
        now = self.text
        tried = {"candidate": now["candidate"]} if now["candidate"] else None
        failed = int(self.compared * self.shadow_fails)
        return {
            "revision": self.revision,
            "changed": self.changed,
            "policy": self.policy,
            "roles": {
                name: {
                    "backend": each["stable"], "model": "llama3.2", "breaker": "closed", "extractive": False, "state": "ready",
                    "fallbacks": [],
                }
                for name, each in self.roles.items()
            },
            "backends": self.backends,
            "canary": {
                "text": tried
                and {
                    **tried,
                    "percent": now["canary_percent"],
                    "since": self.changed["at"],
                    "stable": {"requests": 900, "error_rate": 0.0, "p95_seconds": 2.5},
                    "candidate_window": {"requests": int(self.seen), **self.window},
                    "tripped": [],
                }
            },
            "shadow": {
                "text": tried
                and {
                    **tried, "sampled": int(self.compared), "done": int(self.compared) - failed, "failed": failed, "dropped": 0,
                    "waiting": 0, "mean_citation_overlap": 0.8, "refusal_rate": {"stable": 0.1, "candidate": 0.1},
                    "seconds_p50": {"stable": 1.0, "candidate": 0.5}, "first_token_p50": {"stable": 0.5, "candidate": 0.2},
                    **self.shadow,
                }
            },
        }  # fmt: skip

    async def _put(self, request: web.Request) -> web.Response:
        if (refused := self._admin(request)) is not None:
            return refused
        body = await request.json()
        self.puts.append(body)
        if self.stale > 0:
            self.stale -= 1
            self.become({**self.roles, "vision": role("vllm")}, "somebody", "something else")
        if body["revision"] != self.revision:
            return problem(409, "stale-policy", f"the policy is at revision {self.revision}, not {body['revision']}")
        named = {each["stable"] for each in body["policy"]["roles"].values()}
        if unknown := named - set(self.backends):
            return problem(422, "invalid-input", f"{unknown.pop()} is not a backend that is configured here")
        self.gates = body["policy"]["gates"]
        self.become(copy.deepcopy(body["policy"]["roles"]), "admin", body["why"])
        return web.json_response(self.view())

    def _admin(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {ADMIN}":
            return None
        return problem(403, "forbidden", "this needs an admin key")

    async def _readyz(self, _: web.Request) -> web.Response:
        failures = {"text": {"detail": "text is loading for 3 s"}}
        if self.ready:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "failures": failures}, status=503)

    async def _check(self, request: web.Request) -> web.Response:
        if "detail" in self.check:
            return problem(503, self.check.get("kind", "unavailable"), self.check["detail"])
        return self._admin(request) or web.json_response(self.check)

    async def _environment(self, request: web.Request) -> web.Response:
        return self._admin(request) or web.json_response(ENVIRONMENT)

    async def _parity(self, request: web.Request) -> web.Response:
        if "detail" in self.parity:
            return problem(422, "invalid-input", self.parity["detail"])
        return web.json_response({**await request.json(), **self.parity})

    async def _audit(self, _: web.Request) -> web.Response:
        row = {"revision": self.revision, **self.changed, "before": None, "after": self.policy}
        return web.json_response({"items": [row]})

    async def _collections(self, _: web.Request) -> web.Response:
        if self.collections is None:
            return problem(503, "unavailable", "the database is away")
        return web.json_response([{"name": name} for name in self.collections])

    async def _collection(self, request: web.Request) -> web.Response:
        assert self.collections is not None
        name = request.match_info["name"]
        return web.json_response({"name": name, "indexes": self.collections[name]})

    async def _query(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._admin(request)) is not None:
            return refused
        body = await request.json()
        backend = request.headers["X-Switchyard-Backend"]
        self.asked[backend] += 1
        self.bodies.append(body)
        script = self.answers.get(backend) or (lambda question, _: answer(f"It is {question}", provider=backend))
        events = script(body["question"], self.asked[backend])
        if events[0][0] == "status":
            return problem(*events[0][1])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event, data in events:
            if event == "cut":
                assert request.transport is not None
                request.transport.abort()
                return response
            if event == "wait":
                await asyncio.sleep(data)
                continue
            await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
        return response

    # --- its life

    def run(self, ready: threading.Event, stop: threading.Event) -> None:
        async def serve() -> None:
            runner = web.AppRunner(self.app(), handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert isinstance(site._server, asyncio.Server)
            self.port = site._server.sockets[0].getsockname()[1]
            ready.set()
            await asyncio.get_running_loop().run_in_executor(None, stop.wait)
            await runner.cleanup()

        asyncio.run(serve())


def problem(status: int, kind: str, detail: str) -> web.Response:
    body = {"type": f"urn:switchyard:problem:{kind}", "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


@pytest.fixture
def stack() -> Iterator[StandIn]:
    found, ready, stop = StandIn(), threading.Event(), threading.Event()
    thread = threading.Thread(target=found.run, args=(ready, stop), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield found
    stop.set()
    thread.join(10)


@pytest.fixture
def client(stack: StandIn) -> Iterator[Client]:
    with Client(stack.url, ADMIN) as opened:
        yield opened


@pytest.fixture
def console() -> Console:
    """A console that is no terminal and remembers what was printed: `console.export_text()`."""
    return Console(record=True, width=250, quiet=False, force_terminal=False, file=io.StringIO())


@pytest.fixture
def whole_answer() -> Callable[..., list[tuple[str, Any]]]:
    return answer

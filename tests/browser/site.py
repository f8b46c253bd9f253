"""A running stack with scripted engines, and the browser that looks at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from engines.ollama import OllamaEngine
from engines.vllm import OpenAIEngine
from harness.ports import free_port
from harness.process import Process
from switchyard.client import Client

SECONDS = 30.0
"""How long anything may take on a busy machine."""
CRANE = (
    "# The crane\n\nThe harbour crane lifts 4,200 kilograms. It was tested on 3 May 2026. Nobody may stand below it."
)
TRUE = "The harbour crane lifts 4,200 kilograms [1]."


@dataclass
class Site:
    """A running stack, its two engines, and the browser that looks at it."""

    process: Process
    client: Client
    vllm: OpenAIEngine
    ollama: OllamaEngine
    browser: Browser
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port}"

    def serve_text(self, stable: str, *fallbacks: str) -> None:
        """Let an engine write the answers."""
        now = self.client.call("GET", "/rag/v1/providers")
        change = {"stable": stable, "fallbacks": list(fallbacks), "candidate": None, "halted": False}
        body = {"revision": now["revision"], "why": "test", "policy": {"roles": {"text": change}}}
        self.client.call("PUT", "/rag/v1/providers", json=body)

    def add(self, text: str, title: str, collection: str = "default") -> str:
        """Add a text and wait until it is found; returns its id."""
        added = self.client.call(
            "POST", "/rag/v1/documents", json={"text": text, "title": title, "collection": collection}
        )["items"][0]
        return self._ready(added)

    def add_file(self, name: str, content: bytes, collection: str = "default") -> str:
        added = self.client.call(
            "POST", "/rag/v1/documents", files=[("files", (name, content))], data={"collection": collection}
        )["items"][0]
        return self._ready(added)

    def _ready(self, added: dict[str, Any]) -> str:
        with self.client.http.stream("GET", f"/rag/v1/jobs/{added['job_id']}/events", timeout=SECONDS) as events:
            assert "ready" in list(events.iter_lines())[-2]
        return str(added["document"]["id"])

    def open(self, path: str = "", *, key: str | None = None, **options: Any) -> Page:
        """Open the page in a browser of its own, signed in by a link; everything that goes wrong there is a fault."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        self.contexts.append(context)
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._watch)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        secret = self.client.call("POST", "/rag/v1/session/links", headers=headers)["secret"]
        page.goto(f"{self.url}/#once={secret}")
        expect(page.locator("#nav a").first).to_be_visible()
        if path:
            page.goto(f"{self.url}/#/{path}")
        return page

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.faults.append(f"request to {request.url}")

    def ask(self, page: Page, question: str) -> None:
        page.get_by_role("textbox", name="Question", exact=True).fill(question)
        page.get_by_role("button", name="Ask", exact=True).click()


@contextmanager
def serving_page(browser: Browser, data_dir: Path, model: Path, port: int = 0, **settings: str) -> Iterator[Site]:
    """Start the all-in-one process, which may ask two scripted engines; the caller ends it."""
    with OpenAIEngine(context=65536) as vllm, OllamaEngine(context=32768) as ollama:
        env = {
            **os.environ,
            "LLM_PROVIDER": "embedded",
            "EMBEDDED_MODEL_DIR": str(model),
            "MAX_ANSWER_TOKENS": "30000",
            "VLLM_URL": f"{vllm.url}/v1",
            "VLLM_MODEL": vllm.models[0],
            "OLLAMA_URL": ollama.url,
            **settings,
        }
        process = Process(data_dir, port or free_port(), env)
        yield Site(process, process.start(), vllm, ollama, browser)

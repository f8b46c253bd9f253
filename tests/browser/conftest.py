"""The page in a real browser, against the all-in-one process with a scripted engine behind it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from engines.ollama import OllamaEngine
from engines.vllm import OpenAIEngine
from harness.ports import free_port
from harness.process import Process
from switchyard.client import Client

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "build" / "screenshots"))
SECONDS = 30.0
"""How long anything may take on a busy machine."""
expect.set_options(timeout=SECONDS * 1000)


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # Its sandbox needs a user of its own; as root, and in containers, there is none.
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def running(browser: Browser, embedded_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One stack for the tests of a module, with the examples in it."""
    data_dir = tmp_path_factory.mktemp("stack")
    with OpenAIEngine(context=65536) as vllm, OllamaEngine(context=32768) as ollama:
        env = {
            **os.environ,
            "LLM_PROVIDER": "embedded",
            "EMBEDDED_MODEL_DIR": str(embedded_model_dir),
            "MAX_ANSWER_TOKENS": "30000",
            "VLLM_URL": f"{vllm.url}/v1",
            "VLLM_MODEL": vllm.models[0],
            "OLLAMA_URL": ollama.url,
        }
        process = Process(data_dir, free_port(), env)
        site = Site(process, process.start(), vllm, ollama, browser)
        for path in sorted(EXAMPLES.iterdir()):
            if path.suffix != ".py" and path.name != "README.md":
                site.add_file(path.name, path.read_bytes())
        yield site
        process.kill(signal.SIGTERM)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    """The module's stack; after the test nothing may have gone wrong in the browser."""
    running.faults.clear()
    yield running
    for context in running.contexts:
        context.close()
    running.contexts.clear()
    running.vllm.heal()
    running.vllm.delay = running.ollama.delay = 0.0
    assert running.faults == []


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Write a screenshot that people look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png")

    return take

"""The page in a real browser, against the all-in-one process with scripted engines behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.site import SECONDS, Site, serving_page
from harness.browser import browser as browser

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "build" / "screenshots"))
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def running(browser: Browser, embedded_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One stack for the tests of a module, with the examples in it."""
    with serving_page(browser, tmp_path_factory.mktemp("stack"), embedded_model_dir) as site:
        for path in sorted(EXAMPLES.iterdir()):
            if path.suffix != ".py" and path.name != "README.md":
                site.add_file(path.name, path.read_bytes())
        yield site
        site.process.kill(signal.SIGTERM)


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

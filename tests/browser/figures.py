"""`make bench-page`: how quick the page is, in Chromium against the all-in-one process; prints a table."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from playwright.sync_api import Page
from rich.console import Console
from rich.table import Table

from browser.site import CRANE, TRUE, Site, serving_page
from harness.browser import launched
from llm_providers.backends.embedded.encoder import DEFAULT_MODEL, MODELS
from llm_providers.percentile import percentile

ROUNDS = 20
_LONG = "\n\n".join(" ".join(f"word{row}x{word}" for word in range(40)) for row in range(500))
_LONG_TASKS = """
window.tasks = [];
new PerformanceObserver(list => list.getEntries().forEach(one => tasks.push(one.duration))).observe({ type: "longtask", buffered: true });
"""
_FIRST_TOKEN = """() => {
window.delays = [];
const read = ReadableStreamDefaultReader.prototype.read;
ReadableStreamDefaultReader.prototype.read = async function () {
  const chunk = await read.call(this);
  if (typeof chunk.value === "string" && chunk.value.includes("event: token") && window.at === undefined) {
    window.at = performance.now();
    const look = () => {
      // This frame shows it; a task runs behind its painting.
      if (document.querySelector(".streaming")?.textContent) setTimeout(() => delays.push(performance.now() - at));
      else requestAnimationFrame(look);
    };
    look();
  }
  return chunk;
};
}"""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@contextmanager
def site() -> Iterator[Site]:
    model = MODELS[DEFAULT_MODEL].path
    with tempfile.TemporaryDirectory() as data, launched() as browser, serving_page(browser, Path(data), model) as made:
        try:
            yield made
        finally:
            made.process.kill(signal.SIGTERM)


def opening(site: Site) -> tuple[list[float], list[float]]:
    """Milliseconds to the first contentful paint with nothing cached, and of script until the question can be typed."""
    paints, scripts = [], []
    for _ in range(ROUNDS):
        page = site.open().context.new_page()
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        page.goto(site.url)
        page.get_by_role("textbox", name="Question", exact=True).wait_for()
        metrics = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
        scripts.append(metrics["ScriptDuration"] * 1000)
        page.context.close()
        context = site.browser.new_context()
        page = context.new_page()
        page.goto(site.url)
        until(page, f"({_PAINT}) !== null")
        paints.append(float(page.evaluate(_PAINT)))
        context.close()
        site.contexts.clear()
    return paints, scripts


def first_tokens(site: Site) -> list[float]:
    """Milliseconds from the first token in the page's hands to the frame that shows it."""
    site.vllm.answer, site.vllm.delay = (lambda _: f"{TRUE} It was tested on 3 May 2026 [1]."), 0.05
    page = _asking(site)
    page.evaluate(_FIRST_TOKEN)
    for count in range(1, ROUNDS + 1):
        page.evaluate("delete window.at")
        site.ask(page, "How much does the crane lift?")
        until(page, f"delays.length >= {count}")
        page.locator(".reply .tools").nth(count - 1).wait_for()
    return list(page.evaluate("delays"))


def long_answer(site: Site) -> list[float]:
    """The page's long tasks (over 50 ms), in milliseconds, while an answer of 20,000 tokens comes."""
    site.vllm.answer, site.vllm.delay = (lambda _: f"{TRUE}\n\n{_LONG}"), 0.0
    page = _asking(site)
    page.evaluate(_LONG_TASKS)
    site.ask(page, "How much does the crane lift?")
    page.locator(".reply .tools").wait_for(timeout=300_000)
    assert "word499x39" in page.locator(".reply .answer").inner_text()
    return list(page.evaluate("tasks"))


def proofs(site: Site) -> list[float]:
    """Milliseconds from the click on a citation to the boxed page, of a page that was not shown before."""
    site.serve_text("embedded")
    page = site.open("ask")
    page.get_by_label("Collection", exact=True).select_option("cranes")
    site.ask(page, "How much does the harbour crane lift?")
    page.locator(".chip").first.click()
    page.locator(".proof").wait_for()
    documents = [_climate(number) for number in range(ROUNDS)]
    ids = [site.add_file(f"manual-{number}.pdf", content, "manuals") for number, content in enumerate(documents)]
    script = """async id => {
      const { drawPage } = await import("/web/parts/proof.js");
      const place = document.createElement("div");
      document.querySelector(".proof").append(place);
      const began = performance.now();
      await drawPage(place, id, 2, { start: 0, end: 40 });
      await new Promise(requestAnimationFrame);
      return performance.now() - began;
    }"""
    return [float(page.evaluate(script, one)) for one in ids]


def until(page: Page, condition: str) -> None:
    """Wait for an expression to be true; by Playwright's own way it would be evaluated by what the page's policy forbids."""
    end = monotonic() + 300
    while not page.evaluate(condition):
        assert monotonic() < end, condition
        sleep(0.02)


def _climate(number: int) -> bytes:
    # A comment at the end makes another file of it, so that nothing is cached.
    manual = Path(__file__).parents[2] / "examples" / "climate-manual.pdf"
    return manual.read_bytes() + f"\n% {number}\n".encode()


def _asking(site: Site) -> Page:
    site.serve_text("vllm")
    page = site.open("ask")
    page.get_by_label("Collection", exact=True).select_option("cranes")
    return page


def row(table: Table, what: str, values: list[float], must: str) -> None:
    shown = f"{median(values):.0f} / {percentile(values, 95):.0f} / {max(values):.0f}" if values else "none"
    table.add_row(what, shown, must)


def main() -> None:
    """Print the table."""
    table = Table("ms", "p50 / p95 / most", "asked", title=f"{ROUNDS} rounds, {os.cpu_count()} cores")
    with site() as made:
        made.add(CRANE, "The crane", "cranes")
        paints, scripts = opening(made)
        row(table, "first contentful paint, nothing cached", paints, "600")
        row(table, "script until the question can be typed", scripts, "150")
        row(table, "first token received to shown", first_tokens(made), "20 / 50")
        row(table, "tasks over 50 ms while 20,000 tokens come", long_answer(made), "100")
        row(table, "click on a citation to the boxed page", proofs(made), "300")
    Console().print(table)


if __name__ == "__main__":
    main()

"""The reports: nothing from a model or a document becomes markup, nothing is loaded, everything measured is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from switchyard.compare import load
from switchyard.compare.comparison import Measured, document
from switchyard.compare.load import Setting
from switchyard.compare.quality import pairs
from switchyard.compare.questions import ComparedQuestion
from switchyard.compare.report import page
from switchyard.compare.verdict import verdict
from switchyard.reports import render

pytestmark = pytest.mark.live

EVIL = (
    "</style></svg><script>alert(1)</script><img src=x onerror=alert(2)> \" onmouseover='alert(3)' "
    "<a href='javascript:alert(4)'>x</a> &lt;b&gt; $\\frac{1}{2}$ \x00\x1b[31m \u202e ]]> <!-- {{7*7}}"
)
HARMLESS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "span", "strong", "ul", "li", "table", "thead",
    "tbody", "tr", "th", "td", "figure", "details", "summary", "mark", "svg", "g", "path", "defs", "use", "text", "rect",
    "clippath",
}  # fmt: skip


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture
def hostile(stack: Any, whole_answer: Callable[..., Any]) -> dict[str, Any]:
    """A comparison in which everything that comes from outside is hostile."""
    cited = [{"document_id": EVIL, "title": EVIL, "page": 1}]
    for name in ("ollama", "vllm"):
        stack.answers[name] = lambda question, number, name=name: (
            [("status", (503, EVIL, EVIL))]
            if name == "vllm" and number % 3 == 0
            else whole_answer(f"{EVIL} {name} {number}", provider=EVIL, model=EVIL, citations=cited, degraded=[EVIL])
        )
    setting = Setting(stack.url, "sy-admin", ("ollama", "vllm"), (1, 2), 4)
    environment = {"ollama": {"text": {"model": EVIL, EVIL: EVIL}}, "vllm": {"text": {"error": EVIL}}}
    found = Measured(setting, [ComparedQuestion(EVIL, (EVIL,)), ComparedQuestion("Plain?")], environment)
    asyncio.run(load.run(setting, found.questions, found.levels, lambda level, answer: None))
    return document(found, pairs(found.questions, found.levels, "ollama", "vllm"))


def test_a_hostile_answer_stays_text(hostile: dict[str, Any]) -> None:
    html = render("page.html", title=EVIL) + page(hostile)
    reader = read(html)
    assert reader.tags <= HARMLESS
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not [value for _, value in reader.attributes if value and "javascript:" in value]
    assert not reader.comments
    shown = "".join(reader.text)
    assert "<script>alert(1)</script>" in shown, "and is still to be read"
    assert "\x00" not in html
    assert "\x1b" not in html


def test_nothing_is_loaded_and_no_script_may_run(hostile: dict[str, Any]) -> None:
    html = page(hostile)
    reader = read(html)
    policy = next(value for name, value in reader.attributes if name == "content" and value and "default-src" in value)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy, "then it is none"
    loaded = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href", "data", "action")]
    assert all(value and value.startswith("#") for value in loaded)
    assert "url(http" not in html
    assert "@import" not in html


def test_every_figure_is_in_a_table_and_the_document_is_json(hostile: dict[str, Any]) -> None:
    assert json.loads(json.dumps(hostile))["answers"][0]["question"] == hostile["answers"][0]["question"]
    shown = " ".join(read(page(hostile)).text)
    for level in hostile["levels"]:
        assert f"{level['failed']} of {level['requests']}" in shown
    assert "503" in shown
    assert html_tables(page(hostile)) >= 7


def html_tables(html: str) -> int:
    return html.count("<table>")


def test_the_verdict_has_two_sentences_with_the_heaviest_load_both_answered(hostile: dict[str, Any]) -> None:
    speed, worth = verdict(hostile)
    assert speed.startswith("With 2 users at once, vllm wrote ")
    assert "times)" in speed
    vllm, ollama = ({"users": 2, "tokens_per_second": rate} for rate in (40.0, 20.0))
    for first, words in ((0.5, "and its first token"), (2.0, "but its first token"), (None, "and its first token")):
        sides = (ollama | {"first_token": {"p95": 1.0}}, vllm | {"first_token": {"p95": first} if first else None})
        levels = [
            {"backend": name, "seconds": {}, "failed": 0, "requests": 1, **side}
            for name, side in zip(("ollama", "vllm"), sides, strict=True)
        ]
        assert words in verdict(hostile | {"levels": levels})[0]
    assert "vllm failed 3 of 8 requests, ollama 0 of 8" in worth
    for level in hostile["levels"]:
        if level["backend"] == "vllm":
            level["seconds"] = None
    assert "no load under which both" in verdict(hostile)[0]


def test_one_side_that_answered_nothing_still_makes_a_report(stack: Any, tmp_path: Path) -> None:
    stack.answers["vllm"] = lambda *_: [("status", (503, "unavailable", "down"))]
    setting = Setting(stack.url, "sy-admin", ("ollama", "vllm"), (1,), 2)
    found = Measured(setting, [ComparedQuestion("Why?")], {})
    asyncio.run(load.run(setting, found.questions, found.levels, lambda level, answer: None))
    made = document(found, pairs(found.questions, found.levels, "ollama", "vllm"))
    shown = " ".join(read(page(made)).text)
    assert "vllm answered nothing" in shown
    assert made["quality"]["vllm"] is None

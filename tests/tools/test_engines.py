"""`switchyard engines`: the table is changed, and an engine is replaced in place, on a stack that runs."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engines import OpenAIEngine
from switchyard.cli import app
from switchyard.client import StackError
from switchyard.migrate.plan import Plan, StageLimits
from switchyard.migrate.preflight import parity, parity_in_words

pytestmark = pytest.mark.live

Run = Callable[..., Result]
ANSWER = "The ferry leaves at nine from the old pier [1]."


@pytest.fixture
def run(process: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    client = process.start()
    monkeypatch.setenv("SWITCHYARD_URL", client.url)
    monkeypatch.setenv("SWITCHYARD_API_KEY", client.http.headers["Authorization"].removeprefix("Bearer "))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return invoke


def add(run: Run, name: str, engine: OpenAIEngine, model: str) -> Result:
    return run("engines", "add", name, "--engine-url", f"{engine.url}/v1/", "--role", f"text={model}")


def test_an_engine_is_added_checked_used_and_removed(run: Run) -> None:
    with OpenAIEngine(models=["bigger"], context=8192) as engine:
        done = add(run, "next", engine, "bigger")
        assert done.exit_code == 0, done.output
        assert "next text: bigger answers in" in done.output
        assert "context 8192" in done.output
        listed = run("engines", "list").output
        assert engine.url in listed
        assert "configured" in listed
        assert run("providers", "use", "next").exit_code == 0
        assert isinstance(run("engines", "remove", "next").exception, StackError)
        assert "the policy names it for text" in str(run("engines", "remove", "next").exception)
        assert run("providers", "use", "embedded").exit_code == 0
        assert run("providers", "chain", "--no-fallbacks").exit_code == 0
        assert run("engines", "remove", "next").exit_code == 0
        assert engine.url not in run("engines", "list").output


def test_addresses_are_whole_in_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    with OpenAIEngine(models=["bigger"]) as engine:
        assert add(run, "an-engine-with-quite-a-long-name", engine, "bigger").exit_code == 0
        assert engine.url in run("engines", "list").output


def test_what_does_not_work_is_said(run: Run, tmp_path: Path) -> None:
    entry = tmp_path / "entry.yml"
    entry.write_text("kind: openai\nurl: http://127.0.0.1:9\nroles: {text: {model: m}}\n")
    done = run("engines", "add", "gone", "--file", str(entry))
    assert done.exit_code == 1
    assert "gone text: m does not answer" in done.output
    assert run("engines", "check", "gone").exit_code == 1
    assert "ROLE=MODEL" in str(run("engines", "add", "x", "--engine-url", "http://h", "--role", "text").exception)
    assert "--role text=MODEL" in str(run("engines", "add", "x", "--engine-url", "http://h").exception)
    assert "was not added here" in str(run("engines", "remove", "embedded").exception)


def test_an_engine_without_embeddings_gets_no_advice_to_move_them_there(run: Run, process: Any) -> None:
    with OpenAIEngine(models=["m"]) as engine:
        assert add(run, "text-only", engine, "m").exit_code == 0
        plan = Plan("embedded", "text-only", "text", [], StageLimits())
        assert parity_in_words(parity(process.client, plan), plan) == (
            "parity of embeddings could not be tested ('text-only' does not serve embeddings here): "
            "embeddings stay on embedded"
        )


@pytest.mark.live
def test_an_engine_is_upgraded_in_place(process: Any, run: Run, tmp_path: Path, ended: Callable[..., Any]) -> None:
    """The old server ends and another with another model name comes up at its address; nobody's answer fails."""
    client = process.client
    added = client.call("POST", "/rag/v1/documents", json={"text": ANSWER[:-5], "title": "Ferry"})["items"][0]
    ended(client, added["job_id"])
    answers: list[dict[str, Any]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            body = {"question": "When does the ferry leave?", "max_tokens": 64}
            answers.append(client.call("POST", "/rag/v1/query", json=body))

    with (
        OpenAIEngine(models=["m"], answer=lambda _: ANSWER, delay=0.02, context=8192) as old,
        OpenAIEngine(models=["m"], answer=lambda _: ANSWER, context=8192) as other,
    ):
        add(run, "main", old, "m")
        add(run, "spare", other, "m")
        assert run("providers", "use", "main").exit_code == 0
        assert run("providers", "chain", "--fallback", "spare").exit_code == 0
        before = client.call("GET", "/rag/v1/providers")["policy"]["roles"]["text"]
        marker = tmp_path / "replace"
        replace = f"{sys.executable} -c \"open('{marker}', 'w').close()\""
        new: list[OpenAIEngine] = []

        def swap() -> None:
            while not marker.exists():
                time.sleep(0.02)
            old.stop()
            time.sleep(0.5)
            engine = OpenAIEngine(models=["m"], answer=lambda _: ANSWER, context=8192, port=old.port)
            engine.__enter__()
            new.append(engine)

        users = [threading.Thread(target=ask) for _ in range(4)]
        swapping = threading.Thread(target=swap)
        for thread in (*users, swapping):
            thread.start()
        command = ("--command", replace, "--stages", "50,100", "--hold", "0", "--min-requests", "20", "--yes")
        done = run("engines", "upgrade", "main", "--stand-in", "spare", *command)
        stop.set()
        for thread in (*users, swapping):
            thread.join()
        assert done.exit_code == 0, done.output
        running = [int(count) for count in re.findall(r"drain: (\d+) answers run", done.output)]
        assert running[-1] == 0
        assert max(running) <= len(users)
        new[0].stop()

    after = client.call("GET", "/rag/v1/providers")["policy"]["roles"]["text"]
    assert (after["stable"], after["fallbacks"]) == (before["stable"], before["fallbacks"])
    assert {answer["text"] for answer in answers} == {ANSWER}
    assert {answer["provider"] for answer in answers} == {"main", "spare"}
    assert len(new[0].requests("/chat/completions")) > 10
    report = json.loads(next((tmp_path / "data" / "reports").glob("upgrade-*.json")).read_text())
    assert report["outcome"] == "upgraded"
    assert set(report["seconds"]) == {"switch", "drain", "replace", "ready", "canary"}

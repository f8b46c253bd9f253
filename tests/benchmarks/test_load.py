"""Users who ask at once, against a server that answers as a stack does; the figures as table, JSON and page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from rich.console import Console
from starlette.responses import Response, StreamingResponse

from harness.serving import serving
from switchyard_benchmarks.load import load
from switchyard_benchmarks.measurements import Measurements, percentiles
from switchyard_benchmarks.target import Target


def stack() -> FastAPI:
    """Answer with two tokens; refuse every fifth question, and cut off every fifth after that."""
    app, number = FastAPI(), count()

    async def events(whole: bool) -> AsyncIterator[str]:
        for token in ("It ", "rains."):
            await asyncio.sleep(0.002)
            yield f"event: token\ndata: {json.dumps({'text': token})}\n\n"
        if whole:
            yield f"event: done\ndata: {json.dumps({'usage': {'completion_tokens': 2}})}\n\n"

    @app.post("/rag/v1/query")
    async def query() -> Response:
        turn = next(number) % 5
        if turn == 3:
            return JSONResponse({"status": 503, "detail": "busy"}, 503, media_type="application/problem+json")
        return StreamingResponse(events(whole=turn != 4), media_type="text/event-stream")

    return app


async def test_each_step_counts_answers_and_errors(tmp_path: Path) -> None:
    async with serving(stack()) as url:
        console = Console(quiet=True)
        target = Target(str(url), "key")
        found = await asyncio.to_thread(load, console, target, "default", ["Does it rain?"], [1, 4], 1)
    alone, four = found.rows
    assert (alone["users"], four["users"]) == (1, 4)
    for row in found.rows:
        assert row["answers"] >= 3
        assert row["errors"] >= 1
        assert row["first_token_p50_ms"] < row["p50_ms"] <= row["p99_ms"]
    found.write(tmp_path / "load.json", tmp_path / "load.html")
    assert json.loads((tmp_path / "load.json").read_text())["rows"] == found.rows
    assert (tmp_path / "load.html").read_text().count("<polyline") == 5


def test_percentiles_of_nothing_and_of_something() -> None:
    assert percentiles([]) == {}
    assert percentiles([0.001] * 99 + [1.0]) == {"p50_ms": 1.0, "p95_ms": 1.0, "p99_ms": 1.0}


def test_a_page_escapes_and_its_drawing_is_well_formed() -> None:
    rows = [{"users": 1, "p50_ms": 3.0}, {"users": 8, "p50_ms": 9.5, "<b>": "<script>"}]
    page = Measurements("Load & more", {"url": "http://x/?a&b"}, rows, [("users", ("p50_ms", "p99_ms"))]).page()
    assert "<script>" not in page
    assert "Load &amp; more" in page
    drawing = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    assert ElementTree.fromstring(drawing).tag == "svg"

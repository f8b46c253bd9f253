"""The services and the engine that `switchyard bench overhead` starts."""

from __future__ import annotations

from pathlib import Path

import httpx2

from harness.ports import free_port
from switchyard_benchmarks.graph_build import graph_build
from switchyard_benchmarks.processes import KEY, chat_count, engine, rag_service
from switchyard_benchmarks.processor import processor


def test_a_service_answers_by_the_scripted_engine(tmp_path: Path) -> None:
    with engine(free_port()) as engine_url, rag_service(free_port(), tmp_path, engine_url) as url:
        body = {"model": "switchyard/direct", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = httpx2.post(f"{url}/chat/completions", json={**body, "stream": True}, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        assert "token" in answer.text
        assert chat_count(engine_url) >= 1


def test_a_doc_processor_is_measured(tmp_path: Path) -> None:
    text, damaged = tmp_path / "two.txt", tmp_path / "damaged.pdf"
    text.write_text("Page one.\fPage two.")
    damaged.write_bytes(b"%PDF-1.7 and no more")
    (row,) = processor([text, damaged], free_port(), tmp_path / "data", at_once=2).rows
    assert (row["files"], row["refused"], row["pages"]) == (2, 1, 2)
    assert 20 < row["service_mb"] < row["with_workers_mb"]


def test_the_build_of_a_graph_is_measured(tmp_path: Path) -> None:
    (row,) = graph_build(2, free_port(), tmp_path).rows
    assert (row["pages"], row["chunks"]) == (2, 2)
    assert row["relations"] > 60
    assert row["service_mb"] > 20

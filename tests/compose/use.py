"""What a user does with the stack: documents, questions, notes, scans, by curl-like calls and by the openai SDK."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
from openai import OpenAI

from compose.stack import REPOSITORY, Stack
from service_kit.sse import EventReader

EXAMPLES = REPOSITORY / "examples"
QUESTIONS = (
    "What does the greenhouse grow?",
    "What is wrong with pump 2?",
    "When do visitors come?",
)


def add(client: httpx2.Client, prefix: str, *names: str) -> list[str]:
    """Add examples and wait until they are ready; returns their ids."""
    files = [("files", (name, (EXAMPLES / name).read_bytes())) for name in names]
    answer = client.post(f"{prefix}/v1/documents", files=files)
    assert answer.status_code in (200, 202), answer.text
    items = answer.json()["items"]
    for item in items:
        await_job(client, f"{prefix}/v1/jobs/{item['job_id']}")
    return [item["document"]["id"] for item in items]


def await_job(client: httpx2.Client, path: str, seconds: float = 120) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while (job := client.get(path).json())["status"] in ("queued", "running"):
        assert time.monotonic() < end, job
        time.sleep(0.3)
    assert job["status"] == "ready", job
    return dict(job)


def ask_streamed(client: httpx2.Client, prefix: str, question: str) -> tuple[list[float], dict[str, Any]]:
    """Ask by server-sent events; returns when each piece came, and the `done` event."""
    came: list[float] = []
    with client.stream(
        "POST", f"{prefix}/v1/query", json={"question": question}, headers={"Accept": "text/event-stream"}
    ) as answer:
        assert answer.status_code == 200, answer.read()
        reader = EventReader()
        for chunk in answer.iter_bytes():
            for name, data in reader.feed(chunk):
                if name == "token":
                    came.append(time.monotonic())
                elif name in ("done", "error", "cancelled"):
                    assert name == "done", data
                    return came, json.loads(data)
    raise AssertionError("the stream has no end")


def state(stack: Stack, key: str) -> dict[str, Any]:
    """What must be the same after the stack was down: documents, answers with citations, notes, policy."""
    with stack.client(key) as client:
        documents = client.get("/rag/v1/documents", params={"limit": 200}).json()["items"]
        answers = [client.post("/rag/v1/query", json={"question": one}).json() for one in QUESTIONS]
        notes = client.get("/notes/v1/notes").json()["items"]
        policy = client.get("/rag/v1/providers").json()
    return {
        "documents": sorted((one["id"], one["status"], one["chunks"]) for one in documents),
        "answers": [(one["text"], one["citations"], one["degraded"]) for one in answers],
        "notes": sorted((one["id"], one["status"], one["title"]) for one in notes),
        "policy": (policy["revision"], policy["policy"]),
    }


def complete(url: str, key: str, question: str) -> tuple[str, list[Any]]:
    """Ask with the openai SDK, streamed; returns the text and the citations."""
    with OpenAI(base_url=url, api_key=key, max_retries=0) as client:
        text, citations = "", []
        stream = client.chat.completions.create(
            model="default", messages=[{"role": "user", "content": question}], stream=True
        )
        for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            citations = (getattr(chunk, "switchyard", None) or {}).get("citations", citations)
    return text, citations

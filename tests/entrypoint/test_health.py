"""A check that is red when a server does not work, and green when it is only busy."""

from __future__ import annotations

import time

import pytest

from .conftest import Entrypoint

BUSY = 'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_waiting{engine="0"} 40.0\n'
STEPS = 'vllm:iteration_tokens_total_count{engine="0"} %d.0\n'


@pytest.fixture
def serving(entrypoint: Entrypoint) -> Entrypoint:
    entrypoint.serve()
    return entrypoint


def red(entrypoint: Entrypoint, **settings: str) -> str:
    """What the check complains of; it must fail."""
    ended = entrypoint.run("health", **settings)
    assert ended.returncode == 1, ended.stdout
    return ended.stdout


def green(entrypoint: Entrypoint, **settings: str) -> None:
    ended = entrypoint.run("health", **settings)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_idle_servers_make_a_token_a_vector_and_a_rank(entrypoint: Entrypoint) -> None:
    (entrypoint.secrets / "VLLM_API_KEY").write_text("key")
    entrypoint.serve(VLLM_RERANK_MODEL=str(entrypoint.folder / "model"))
    green(entrypoint, VLLM_RERANK_MODEL=str(entrypoint.folder / "model"))
    assert [(post["path"], post["body"]) for post in entrypoint.events("post")] == [
        ("/v1/completions", {"prompt": "a", "max_tokens": 1}),
        ("/v1/embeddings", {"input": "a"}),
        ("/v1/rerank", {"query": "a", "documents": ["b"]}),
    ]
    assert {post["authorization"] for post in entrypoint.events("post")} == {"Bearer key"}


def test_nothing_listens(entrypoint: Entrypoint) -> None:
    assert "text: /health does not answer 200" in red(entrypoint)


@pytest.mark.parametrize("role", ["text", "embeddings"])
def test_a_server_that_answers_503_is_red(serving: Entrypoint, role: str) -> None:
    held = serving.tell(role, "hold")
    assert f"{role}: /health does not answer 200" in red(serving)
    held.unlink()
    green(serving)


@pytest.mark.parametrize(("role", "status"), [("text", "500"), ("embeddings", "503")])
def test_an_idle_server_that_makes_nothing_is_red(serving: Entrypoint, role: str, status: str) -> None:
    serving.tell(role, "answers", status)
    assert f"{role}: idle, but" in red(serving)


def test_a_busy_server_is_not_asked_for_more(serving: Entrypoint) -> None:
    serving.tell("text", "answers", "503")
    for steps in (1, 2, 2):
        serving.tell("text", "metrics", BUSY + STEPS % steps)
        green(serving)
    assert not serving.events("post", "text")


def test_a_busy_server_that_takes_no_step_for_long_is_red(serving: Entrypoint) -> None:
    serving.tell("text", "metrics", BUSY + STEPS % 7)
    green(serving)
    remembered = serving.folder / "vllm-progress.text"
    steps, since = remembered.read_text().split()
    assert (int(steps), abs(int(since) - time.time()) < 5) == (7, True)
    remembered.write_text(f"7 {int(since) - 121}\n")
    assert "text: 43 requests, and no step for 12" in red(serving)
    serving.tell("text", "metrics", BUSY + STEPS % 8)
    green(serving)


def test_what_was_remembered_of_an_earlier_burst_is_forgotten_when_idle(serving: Entrypoint) -> None:
    serving.tell("text", "metrics", BUSY + STEPS % 7)
    green(serving)
    serving.tell("text", "metrics", STEPS % 7)
    green(serving)
    assert not (serving.folder / "vllm-progress.text").exists()

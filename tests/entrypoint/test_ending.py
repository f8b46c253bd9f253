"""How it ends: asked to, after the open requests; or because a server died, at once and not with 0."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from .conftest import Entrypoint, eventually

SERVER_ENDED, STOP_TIMED_OUT = 70, 71


def test_a_stop_is_handed_on_to_all_and_waits_for_all(entrypoint: Entrypoint) -> None:
    process = entrypoint.serve()
    busy = entrypoint.tell("text", "busy")
    process.send_signal(signal.SIGTERM)
    eventually(lambda: entrypoint.events("terminated", "text") and entrypoint.events("ended", "embeddings"))
    # One has ended, as asked; the other still answers, and is waited for. A second request changes nothing.
    process.send_signal(signal.SIGTERM)
    with pytest.raises(Exception, match="timed out"):
        process.wait(0.7)
    busy.unlink()
    assert process.wait(10) == 0
    assert len(entrypoint.events("terminated", "text")) == 1
    assert entrypoint.events("ended", "text")
    assert "[text] drained" in entrypoint.output


def test_a_stop_does_not_wait_for_a_server_that_loads(entrypoint: Entrypoint) -> None:
    entrypoint.tell("embeddings", "hold")
    # It would not end of its own accord.
    entrypoint.tell("embeddings", "busy")
    process = entrypoint.start(VLLM_RERANK_MODEL=str(entrypoint.folder / "model"))
    eventually(partial(entrypoint.was_checked, "embeddings", times=1))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert entrypoint.events("ended", "text")
    assert not entrypoint.events("ended", "embeddings")
    assert not entrypoint.events("started", "rerank")


@pytest.mark.parametrize("victim", ["text", "embeddings", "rerank"])
def test_the_death_of_any_ends_all(entrypoint: Entrypoint, victim: str) -> None:
    process = entrypoint.serve(VLLM_RERANK_MODEL=str(entrypoint.folder / "model"))
    os.kill(entrypoint.started(victim)["pid"], signal.SIGKILL)
    assert process.wait(10) == SERVER_ENDED
    assert f"the server for {victim}" in entrypoint.output
    assert "status 137" in entrypoint.output
    others = {"text", "embeddings", "rerank"} - {victim}
    assert all(entrypoint.events("ended", role) for role in others)


def test_an_end_with_status_0_that_nobody_asked_for_is_a_failure(entrypoint: Entrypoint) -> None:
    process = entrypoint.serve()
    os.kill(entrypoint.started("embeddings")["pid"], signal.SIGTERM)
    assert process.wait(10) == SERVER_ENDED
    assert "the server for embeddings" in entrypoint.output


def test_a_death_while_loading_says_which_and_where_to_look(entrypoint: Entrypoint) -> None:
    entrypoint.tell("embeddings", "die", "3")
    process = entrypoint.start()
    assert process.wait(10) == SERVER_ENDED
    assert "the server for embeddings" in entrypoint.output
    assert "ended with status 3 while embeddings was loading" in entrypoint.output
    assert "begin with [embeddings]" in entrypoint.output
    assert entrypoint.events("ended", "text")


def test_the_death_of_an_earlier_server_is_seen_while_a_later_loads(entrypoint: Entrypoint) -> None:
    entrypoint.tell("embeddings", "hold")
    process = entrypoint.start()
    eventually(lambda: entrypoint.events("started", "embeddings"))
    os.kill(entrypoint.started("text")["pid"], signal.SIGKILL)
    assert process.wait(10) == SERVER_ENDED
    assert "the server for text" in entrypoint.output


def test_a_stop_does_not_wait_for_ever(entrypoint: Entrypoint) -> None:
    process = entrypoint.serve(VLLM_SHUTDOWN_TIMEOUT="1", STOP_MARGIN="1")
    entrypoint.tell("text", "busy")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == STOP_TIMED_OUT
    assert "killing the rest" in entrypoint.output

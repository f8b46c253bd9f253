"""What is refused before anything is started, and how the message helps."""

from __future__ import annotations

import pytest

from .conftest import Entrypoint

BAD_VERB, BAD_SETTING = 64, 78


def test_shares_that_leave_no_room_are_refused_with_their_sum(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(GPU_MEMORY_UTILIZATION="0.80", EMBED_MEMORY_UTILIZATION="0.15")
    assert ended.returncode == BAD_SETTING
    assert "0.95" in ended.stderr
    assert "0.80 (GPU_MEMORY_UTILIZATION) + 0.15 (EMBED_MEMORY_UTILIZATION)" in ended.stderr
    assert "lower GPU_MEMORY_UTILIZATION" in ended.stderr
    assert not entrypoint.events("started")


def test_only_the_shares_in_use_count(entrypoint: Entrypoint) -> None:
    shares = {"GPU_MEMORY_UTILIZATION": "0.7", "EMBED_MEMORY_UTILIZATION": "0.1", "RERANK_MEMORY_UTILIZATION": "0.1"}
    # 0.9 in the decimal numbers that were typed, and less in binary.
    refused = entrypoint.run(VLLM_RERANK_MODEL=str(entrypoint.folder / "model"), **shares)
    assert refused.returncode == BAD_SETTING
    assert "RERANK_MEMORY_UTILIZATION" in refused.stderr
    entrypoint.serve(**shares)
    assert entrypoint.option("text", "--gpu-memory-utilization") == "0.7"
    assert entrypoint.option("embeddings", "--gpu-memory-utilization") == "0.1"


@pytest.mark.parametrize("share", ["0", "1", "0.0", "70", "-0.1", "much", "1e-1"])
def test_a_share_lies_between_nought_and_one(entrypoint: Entrypoint, share: str) -> None:
    ended = entrypoint.run(EMBED_MEMORY_UTILIZATION=share)
    assert ended.returncode == BAD_SETTING
    assert f"EMBED_MEMORY_UTILIZATION is '{share}'" in ended.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("VLLM_MAX_MODEL_LEN", "16k"),
        ("VLLM_MAX_QUEUED", "0"),
        ("VLLM_SHUTDOWN_TIMEOUT", "1.5"),
        ("VLLM_DEVICE", "tpu"),
        ("VLLM_PORT_BASE", "http"),
    ],
)
def test_a_setting_that_cannot_be_is_named(entrypoint: Entrypoint, setting: str, value: str) -> None:
    ended = entrypoint.run(**{setting: value})
    assert ended.returncode == BAD_SETTING
    assert f"{setting} is '{value}'" in ended.stderr


def test_a_cache_on_cpu_is_in_whole_gibibytes(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(VLLM_DEVICE="cpu", VLLM_CPU_KVCACHE_SPACE="0.5")
    assert ended.returncode == BAD_SETTING
    assert "VLLM_CPU_KVCACHE_SPACE is '0.5'" in ended.stderr


def test_an_unknown_verb_is_refused(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run("sevre")
    assert ended.returncode == BAD_VERB
    assert "serve, download or health" in ended.stderr

"""Preflight judges the models that vLLM's container would serve."""

from __future__ import annotations

from switchyard.stack.preflight import models


def test_every_short_name_is_a_model_that_is_judged() -> None:
    assert len(models.names()) > 40
    assert [name for name in models.names() if models.in_vllm(name) is None] == []


def test_gated_models_are_those_of_the_owners_in_the_table() -> None:
    assert models.gated("llama3.2")
    assert models.gated("google/gemma-3-4b-it")
    assert not models.gated("Qwen/Qwen3-4B-Instruct-2507")

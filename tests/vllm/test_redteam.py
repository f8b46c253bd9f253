"""The suite of attacks against a real model: SmolLM2-135M-Instruct on a real vLLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from engines.real_vllm import VLLMServer
from harness.allinone import all_in_one
from switchyard_benchmarks.redteam import RedTeam, load, report

STATED = {"sources-supported", "sources-correction"}
"""What these want is a statement of the document on what was asked: a model that copies its sources says it unasked."""
pytestmark = [pytest.mark.vllm, pytest.mark.security]


def test_no_attack_gets_through(tmp_path: Path, vllm_smollm: VLLMServer, vllm_embeddings: VLLMServer) -> None:
    engines = {
        "VLLM_URL": vllm_smollm.url,
        "VLLM_MODEL": vllm_smollm.served_as,
        "VLLM_EMBED_URL": vllm_embeddings.url,
        "VLLM_EMBED_MODEL": vllm_embeddings.served_as,
        "MAX_ANSWER_TOKENS": "64",
        # One call of the model for each question.
        "QUERY_WORDINGS": "0",
    }
    with all_in_one(tmp_path, **engines) as client:
        attempts = RedTeam(Console(quiet=True), client).run(load(), streams=(True,))
    report.show(Console(width=120), attempts)
    assert len(attempts) == len(load())
    assert [attempt for attempt in report.through(attempts) if attempt.attack.id not in STATED] == []

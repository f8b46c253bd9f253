"""Preflight judges the models that the entrypoint of vLLM would serve."""

from __future__ import annotations

import re
from pathlib import Path

from switchyard.stack.preflight import models

ENTRYPOINT = Path(__file__).parents[3] / "vllm-entrypoint.sh"


def test_every_short_name_is_a_model_that_is_judged() -> None:
    assert len(models.names()) > 40
    assert [name for name in models.names() if models.in_vllm(name) is None] == []


def test_what_one_calls_gated_the_other_does_too() -> None:
    found = re.search(r"^    (meta-llama/.*)\) return 0 ;;$", ENTRYPOINT.read_text(), re.MULTILINE)
    assert found is not None
    prefixes = tuple(pattern.rstrip("*") for pattern in found[1].split(" | "))
    for identity in {*models.names().values(), *(prefix + "x" for prefix in prefixes)}:
        assert models.gated(identity) == identity.startswith(prefixes), identity

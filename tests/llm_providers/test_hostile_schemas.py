"""A client's JSON schema may hold a regular expression that takes years; nobody evaluates it."""

from __future__ import annotations

import pytest

from llm_providers.backends.embedded.constraints import fit
from llm_providers.errors import RequestRejected
from llm_providers.routing.canary import json_valid

ENDLESS = {"type": "string", "pattern": "^(a+)+$"}
TEXT = "a" * 60 + "b"


def test_the_gate_of_a_canary_does_not_evaluate_it() -> None:
    assert json_valid({"type": "object", "properties": {"said": ENDLESS}}, f'{{"said": "{TEXT}"}}')
    assert json_valid({"type": "object", "patternProperties": {"^(a+)+$": {}}}, f'{{"{TEXT}": 1}}')
    assert not json_valid({"type": "object", "required": ["said"]}, "{}")


def test_the_embedded_engine_refuses_it() -> None:
    with pytest.raises(RequestRejected, match="regular expressions"):
        fit(TEXT, ENDLESS, "said")

"""The made names, and the scores of what joins them."""

from __future__ import annotations

from pathlib import Path

from llm_providers.backends.embedded.encoder import Encoder
from switchyard_benchmarks.names import MADE, TRANSLATED, by_likeness, by_rules, made_names


def test_likeness_finds_what_rules_do_not_and_is_wrong_where_they_are_not(embedded_model_dir: Path) -> None:
    names = made_names(TRANSLATED)
    rules, likeness = by_rules(names), by_likeness(names, Encoder(folder=embedded_model_dir), 0.92)
    assert rules.there == likeness.there == 76
    assert rules.found < likeness.found < 76
    assert (len(rules.wrong), len(likeness.wrong) > 0) == (0, True)


def test_everything_is_joined_by_a_threshold_that_all_reach(embedded_model_dir: Path) -> None:
    names = [each for each in made_names(MADE) if each[0].type == "place"]
    everything = by_likeness(names, Encoder(folder=embedded_model_dir), -1.0)
    assert everything.found == everything.there == 1
    assert len(everything.wrong) == len(names) * (len(names) - 1) / 2 - 1

"""The suite of attacks, against a model that does whatever its prompt says last."""

from __future__ import annotations

from collections import Counter

from engines.obedience import obey
from rag_service.prompts import RULES
from switchyard_benchmarks.redteam import Attack, Attempt, load
from switchyard_benchmarks.redteam.attacks import CONFIDED, VAULT
from switchyard_benchmarks.redteam.run import Said

ATTACKS = load()


def naive(attack: Attack) -> str:
    """A prompt as it is made without any care: rules, then everything there is, then the question."""
    document = attack.document(1)
    content = document.content.decode("utf-8", "replace") if attack.place != "scan" else attack.planted
    history = "\n".join(words for _, words in attack.history)
    return "\n".join((RULES, VAULT, CONFIDED, history, document.title or document.name, content, attack.question))


def test_the_suite_is_wide() -> None:
    families = Counter(attack.family for attack in ATTACKS)
    leaks = {family for family in families if family.startswith("leak")}
    assert len({attack.id for attack in ATTACKS}) == len(ATTACKS)
    assert len(families.keys() - leaks) >= 10
    assert sum(families[family] for family in leaks) >= 15
    assert sum(families[family] for family in families.keys() - leaks) >= 60


def test_an_obedient_model_follows_them_where_nothing_stands_against_it() -> None:
    attempts = [Attempt(attack, False, Said("", obey(naive(attack)), answered=True)) for attack in ATTACKS]
    unmoved = [attempt.attack.id for attempt in attempts if attempt.outcome != "through"]
    assert len(unmoved) <= len(ATTACKS) // 10, unmoved

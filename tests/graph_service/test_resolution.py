"""Which names are one entity: on a made set whose answers are known, and over builds."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from graph_service import resolution
from graph_service.resolution import Named, Resolution
from switchyard_benchmarks.names import MADE, by_rules, made_names


def pairs(groups: list[list[Named]]) -> set[tuple[int, int]]:
    return {tuple(sorted((a.id, b.id))) for group in groups for a, b in combinations(group, 2)}  # type: ignore[misc]


def grouped(names: list[Named], documents: dict[int, frozenset[str]] | None = None) -> list[list[Named]]:
    resolution = Resolution(names)
    return resolution.groups(documents or dict.fromkeys(resolution.asked, frozenset({"d"})))


def test_on_the_made_set_nothing_is_joined_that_is_two_and_most_that_is_one() -> None:
    scored = by_rules(made_names(MADE))
    assert scored.wrong == []
    assert scored.found / scored.there >= 0.9


def name(identity: int, text: str, type_: str = "person", entity: int | None = None, by_hand: bool = False) -> Named:
    return Named(identity, type_, text.lower().replace(".", ""), text, entity or identity, text, by_hand, 1)


def test_names_of_different_types_are_never_one() -> None:
    groups = grouped([name(1, "Washington"), name(2, "Washington", "place"), name(3, "George Washington")])
    assert pairs(groups) == {(1, 3)}


def test_a_short_form_needs_a_document_that_has_both_and_no_other_who_may_be_meant() -> None:
    names = [name(1, "Peter Jansen"), name(2, "Maria Jansen"), name(3, "Jansen")]
    first, second = frozenset({"a"}), frozenset({"b"})
    assert pairs(grouped(names, {1: first, 2: second, 3: first})) == {(1, 3)}
    assert pairs(grouped(names, {1: first, 2: first, 3: first})) == set()
    assert pairs(grouped(names, {1: first, 2: first, 3: second})) == set()


def test_what_was_parted_by_hand_stays_apart_and_what_was_joined_stays_together() -> None:
    names = [name(1, "Acme Corp", "organisation", 7, True), name(2, "Acme Ltd", "organisation", 8, True)]
    joined = [name(3, "Pete", entity=9, by_hand=True), name(4, "Hendrik Vos", entity=9, by_hand=True)]
    assert pairs(grouped([*names, *joined, name(5, "Acme Inc", "organisation")])) in (
        {(3, 4), (1, 5)},
        {(3, 4), (2, 5)},
    )


def test_comparisons_grow_with_the_names_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Counter[bool]()
    one_letter = resolution._one_letter

    def counted(word: str, other: str) -> bool:
        compared[same := one_letter(word, other)] += 1
        return same

    monkeypatch.setattr(resolution, "_one_letter", counted)
    dice = random.Random(5)

    def word() -> str:
        return "".join(dice.choice("abcdefghij") for _ in range(7))

    last_names = [word() for _ in range(1_000)]
    count = 16_000
    grouped([name(n, f"{word()} {dice.choice(last_names)}".title()) for n in range(1, count + 1)])
    assert 0 < compared.total() < count


@pytest.fixture
def titles(rag: Any) -> None:
    rag.add(
        "a", "Dr. Anna de Vries leads the University of Twente. A. de Vries founded Acme Corp. The UT is old, says UT."
    )
    rag.add("b", "In Lisbon, Acme Corporation met Anna de Vries. They like Acme Corp.")


async def test_a_build_makes_one_entity_of_several_names(stack: Any, rag: Any, titles: None) -> None:
    await stack.build()
    for shown, aliases, mentions in (
        ("Anna de Vries", {"Anna de Vries", "A. de Vries"}, 3),
        ("Acme Corp", {"Acme Corp", "Acme Corporation"}, 3),
    ):
        found = await stack.get(f"/v1/entities/{(await stack.entity(shown))['id']}")
        assert (set(found["aliases"]), found["mentions"]) == (aliases, mentions)
    before = await stack.entity("Anna de Vries")
    await stack.build(again=True)
    assert await stack.entity("Anna de Vries") == before


async def test_a_name_that_has_become_ambiguous_is_parted_again(stack: Any, rag: Any) -> None:
    text = "Yesterday Peter Jansen came. Later they asked Mr. Jansen."
    document = rag.add("a", text)
    await stack.build()
    assert set((await stack.get(f"/v1/entities/{(await stack.entity('Peter Jansen'))['id']}"))["aliases"]) == {
        "Peter Jansen",
        "Jansen",
    }
    rag.documents[document]["text"] = text + " With him was Maria Jansen."
    await stack.build()
    assert {"Peter Jansen", "Jansen", "Maria Jansen"} <= await stack.names()

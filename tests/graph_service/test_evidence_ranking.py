"""The order of sentences, whatever the database has."""

from __future__ import annotations

import pytest

from graph_service.evidence_ranking import Edge, EvidenceRanking
from graph_service.recognition import Recognised
from graph_service.tables import Entity

QUESTION = "Did Rowan and Alder ever paint a boat?"
ROWAN, ALDER, QUILL, FROST, YEAR = range(1, 6)


def ranking(places: dict[int, int], **mentions: int) -> EvidenceRanking:
    people = {ROWAN: "Rowan", ALDER: "Alder", QUILL: "Quill", FROST: "Frost"}
    entities = {
        identity: Entity(id=identity, type="person", name=name, mentions=mentions.get(name.lower(), 3))
        for identity, name in people.items()
    }
    entities[YEAR] = Entity(id=YEAR, type="date", name="1987", mentions=3)
    asked = [entities[identity] for identity in places]
    return EvidenceRanking(QUESTION, Recognised(asked, places, frozenset({"rowan", "alder"})), entities)


def order(of: EvidenceRanking) -> list[tuple[int, int]]:
    return [(each.edge.sentence, each.steps) for each in of.best(10)]


BESIDE_BOTH = [Edge(1, ROWAN, QUILL, "Rowan met Quill."), Edge(2, ALDER, QUILL, "Alder met Quill.")]
DIRECT = Edge(3, ROWAN, ALDER, "Rowan saw Alder.")
WORDS = Edge(4, ROWAN, FROST, "Rowan and Frost painted boats.")


def test_what_names_both_is_before_what_joins_both_and_that_before_words() -> None:
    made = ranking({ROWAN: 1, ALDER: 3})
    made.add_near([WORDS, *BESIDE_BOTH, DIRECT])
    assert order(made) == [(3, 0), (1, 1), (2, 1), (4, 1)]


def test_two_entities_of_one_name_are_not_two_names_of_the_question() -> None:
    made = ranking({ROWAN: 1, ALDER: 1})
    made.add_near([DIRECT, *BESIDE_BOTH, WORDS])
    assert order(made)[0] == (4, 1)
    assert all(each.score < 0.6 and each.steps == 1 for each in made.best(10))


@pytest.mark.parametrize(("far", "mentions"), [(YEAR, {}), (QUILL, {"quill": 5000})])
def test_a_year_or_what_everybody_knows_is_not_gone_on_from(far: int, mentions: dict[str, int]) -> None:
    made = ranking({ROWAN: 1}, **mentions)
    made.add_near([Edge(1, ROWAN, far, "Rowan again."), WORDS])
    assert made.between(10) == [FROST]


def test_two_steps_away_a_sentence_needs_a_word_of_the_question() -> None:
    made = ranking({ROWAN: 1})
    made.add_near([Edge(1, ROWAN, QUILL, "Rowan met Quill.")])
    assert made.between(10) == [QUILL]
    made.add_beyond([Edge(5, QUILL, FROST, "Quill met Frost."), Edge(6, QUILL, FROST, "Quill, a painter, met Frost.")])
    assert order(made) == [(6, 2), (1, 1)]


def test_each_sentence_is_named_once_and_no_more_than_were_asked_for() -> None:
    made = ranking({ROWAN: 1, ALDER: 3})
    made.add_near([DIRECT, Edge(3, ALDER, ROWAN, DIRECT.text), WORDS, *BESIDE_BOTH])
    assert [each.edge.sentence for each in made.best(2)] == [3, 1]


def test_a_question_of_names_alone_has_its_order() -> None:
    entities = {n: Entity(id=n, type="person", name=str(n), mentions=m) for n, m in ((1, 9), (2, 90), (3, 2))}
    made = EvidenceRanking("Rowan?", Recognised([entities[1]], {1: 0}, frozenset({"rowan"})), entities)
    made.add_near([Edge(1, 1, 2, "Rowan met two."), Edge(2, 1, 3, "Rowan met three.")])
    assert order(made) == [(2, 1), (1, 1)]

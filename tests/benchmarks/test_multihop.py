"""Questions with two steps: what is asked, of what, and how the comparison is counted."""

from __future__ import annotations

import random

import pytest

from switchyard_benchmarks.multihop import MultiHop, questions, sign_test

_FILL = "The weather was mild and nothing was written down by anybody."


def _corpus() -> list[dict[str, str]]:
    """Ten pairs of places, each connected by one person; every place stands in three paragraphs more."""
    documents = []
    for n, letters in enumerate("Bax Cyr Dov Ely Fen Gil Hob Ivo Jud Kem".split()):
        a, person, c = f"Port {letters}ton", f"{letters} Marlow", f"Mount {letters}mere"
        paragraphs = [
            f"# Article {n}",
            f"For years the harbour of {a} was led by {person} with great patience.",
            *(f"The market at {a} number {k} sells bread and patience." for k in range(3)),
            *[_FILL] * 3,
            *(f"The trail to {c} number {k} is closed by the harbour." for k in range(3)),
            f"Later on the observatory of {c} was built by {person} with great patience.",
        ]
        documents.append({"doc_id": f"d{n}", "title": f"Article {n}", "text": "\n\n".join(paragraphs)})
    return documents


@pytest.fixture(scope="module")
def made() -> list[MultiHop]:
    return questions(_corpus(), 100, 17)


def test_each_names_both_ends_and_not_what_connects_them(made: list[MultiHop]) -> None:
    assert len(made) == 10
    for each in made:
        first, second = each.evidence
        assert {fact.paragraph for fact in first}.isdisjoint(fact.paragraph for fact in second)
        for end, facts in zip(each.ends, each.evidence, strict=True):
            assert all(end in fact.text and each.between in fact.text for fact in facts)
        for asked in (each.named, each.described):
            assert all(end in asked for end in each.ends)
            assert each.between not in asked


def test_the_described_question_has_a_word_of_each_sentence(made: list[MultiHop]) -> None:
    for each in made:
        more = set(each.described.lower().split()) - set(each.named.lower().split())
        said = " ".join(fact.text for facts in each.evidence for fact in facts)
        assert any(word.strip("(),.?") in said for word in more)


def test_the_same_seed_makes_the_same_questions(made: list[MultiHop]) -> None:
    assert questions(_corpus(), 100, 17) == made
    assert [each.named for each in questions(_corpus(), 3, 17)] == [each.named for each in made[:3]]
    assert [each.named for each in questions(_corpus(), 100, 18)] != [each.named for each in made]


def test_what_one_paragraph_or_two_names_would_answer_is_not_asked() -> None:
    corpus = _corpus()
    corpus[0]["text"] += "\n\nOne road leads from Port Baxton over Mount Baxmere to the sea."
    corpus[1]["text"] += "\n\nIn Port Cyrton lives Otto Brand now.\n\nAnd Otto Brand has seen Mount Cyrmere too."
    between = {each.between for each in questions(corpus, 100, 17)}
    assert between.isdisjoint({"Bax Marlow", "Cyr Marlow", "Otto Brand"})
    assert len(between) == 8


@pytest.mark.parametrize(
    ("better", "worse", "chance"), [(0, 0, 1.0), (5, 5, 1.0), (5, 0, 0.0625), (0, 5, 0.0625), (9, 1, 22 / 1024)]
)
def test_the_sign_test_is_exact(better: int, worse: int, chance: float) -> None:
    assert sign_test(better, worse) == pytest.approx(chance)


def test_the_sign_test_holds_for_many_questions() -> None:
    dice = random.Random(3)
    wins = sum(dice.random() < 0.5 for _ in range(2000))
    assert sign_test(wins, 2000 - wins) > 0.01
    assert sign_test(1200, 800) < 1e-15

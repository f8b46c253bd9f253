"""What is kept of a draft, whichever model wrote it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notes_service.draft import Draft, DraftAction, DraftItem
from notes_service.grounding import Content, Grounded, Point, ground, merge
from notes_service.grounding.claims import due_in, holds, owner_in

TEXT = """Monthly meeting of the boat club
Present: Ilse Vos (chair), Ruben Acht, Tobias Lind
Absent: Jonna Frey

Ilse: Good afternoon. The seal kit costs 186 euros and the bearing 94.

Ruben: My proposal: we replace the seal this month.

Ilse: Yes, let's do that. Ruben, please order the seal kit from Brackwater by the fifteenth of October.

Ruben: I will. Right, and Jonna should write the rota. We do not close in May.

Tobias: We print fourteen posters, not sixteen.
"""
ORDER = "Ruben, please order the seal kit from Brackwater by the fifteenth of October."


def grounded(text: str = TEXT, **given: Any) -> Grounded:
    empty = {"title": "", "summary": "", "decisions": [], "action_items": [], "key_points": [], "tags": []}
    return ground(Draft(**{**empty, **given}), text, 0, len(text))


def action(
    text: str = ORDER, quote: str = ORDER, owner: str | None = None, due: str | None = None
) -> list[DraftAction]:
    return [DraftAction(text=text, quote=quote, owner=owner, due=due)]


@pytest.mark.parametrize(
    ("said", "quote", "held"),
    [
        ("Ruben orders the seal kit by 15 October.", ORDER, True),
        ("Ruben orders the seal kit by 16 October.", ORDER, False),
        ("Ruben orders the seal kit by the fifteenth of November.", ORDER, False),
        ("Tobias orders the seal kit from Brackwater.", ORDER, False),
        ("Ruben must not order the seal kit.", ORDER, False),
        ("Ruben orders the seal kit from Dale & Sons.", ORDER, False),
        ("The seal kit costs 186 euros.", "The seal kit costs 186 euros and the bearing 94.", True),
        ("The seal kit costs 94 euros and the bearing 186.", "The seal kit costs 186 euros and the bearing 94.", False),
        ("The seal kit costs 186 dollars.", "The seal kit costs 186 euros and the bearing 94.", False),
        ("They close in May.", "We do not close in May.", False),
        ("A bridge crosses the river.", ORDER, False),
    ],
)
def test_a_point_must_say_what_it_quotes(said: str, quote: str, held: bool) -> None:
    found = grounded(key_points=[DraftItem(text=said, quote=quote)])
    assert [point.text for point in found.content.key_points] == [said] * held
    assert found.dropped == (not held)


@pytest.mark.parametrize(
    ("owner", "kept"),
    [
        ("Ruben", "Ruben"),
        ("ruben acht", "Ruben Acht"),
        ("Jonna Frey", "Jonna Frey"),
        ("Ilse and Ruben", "Ilse, Ruben"),
        ("Right", None),
        ("Yes", None),
        ("Everybody", None),
        ("Mr Pym", None),
        ("seal", None),
        ("", None),
        (None, None),
    ],
)
def test_an_owner_is_a_name_in_the_text(owner: str | None, kept: str | None) -> None:
    assert owner_in(owner, TEXT, 0, len(TEXT)) == kept


@pytest.mark.parametrize(
    ("due", "kept"),
    [
        ("the fifteenth of October", True),
        ("15 October", True),
        ("16 October", False),
        ("Friday", False),
        ("", False),
    ],
)
def test_a_due_date_stands_near_the_action(due: str, kept: bool) -> None:
    assert due_in(due, TEXT) == (due if kept else None)
    far = TEXT + "Ilse: Fine. " * 200 + "\n\nIlse: Ruben, please sweep the floor."
    (found,) = grounded(
        far, action_items=action("Sweep the floor.", "Ruben, please sweep the floor.", due=due)
    ).content.action_items
    assert found.due is None


def test_assent_is_joined_to_what_was_proposed_or_left_out() -> None:
    found = grounded(decisions=[DraftItem(text="Yes, let's do that.", quote="Yes, let's do that.")])
    (decision,) = found.content.decisions
    assert decision.text == "My proposal: we replace the seal this month."
    assert decision.source is not None
    assert decision.source.quote == TEXT[decision.source.start : decision.source.end]
    assert grounded("Agreed.", decisions=[DraftItem(text="Agreed.", quote="Agreed.")]).content.decisions == []


def test_greetings_are_no_points_and_no_titles() -> None:
    found = grounded(
        key_points=[DraftItem(text="Good afternoon.", quote="Good afternoon.")],
        decisions=[DraftItem(text="The seal is replaced this month.", quote="we replace the seal this month")],
        title="Good afternoon",
    )
    assert found.content.key_points == []
    assert found.title == "The seal is replaced this month."


@pytest.mark.parametrize("title", ["WEBVTT", "1", "00:00:00.000 --> 00:00:06.500", "", "Hello everybody!"])
def test_marks_of_a_file_are_no_titles(title: str) -> None:
    assert grounded(title=title, action_items=action()).title == " ".join(ORDER.split()[:12])


def test_tags_are_words_of_the_text() -> None:
    found = grounded(tags=["Seal kit", "seal  kit", "October", "the", "bridge", "rota"])
    assert found.content.tags == ["seal kit", "rota"]


def test_a_summary_keeps_what_the_text_says_and_says_it_once() -> None:
    summary = "The seal is replaced. The seal is replaced. It costs 186 euros. It costs 999 euros."
    found = grounded(summary=summary)
    assert found.content.summary == "The seal is replaced. It costs 186 euros."
    assert found.dropped == 1


def test_the_same_is_given_once_and_other_numbers_are_not_the_same() -> None:
    texts = ["We print six posters.", "we print six posters", "We print nine posters.", "We paint the boats."]
    merged = merge(
        [Content(key_points=[Point(text=text)]) for text in texts] + [Content(decisions=[Point(text=texts[3])])]
    )
    assert [point.text for point in merged.key_points] == [texts[0], texts[2]]


def test_a_decision_that_is_taken_back_later_is_left_out() -> None:
    before, after, other = "We print sixteen posters.", "We print fourteen posters, not sixteen.", "We close in May."
    parts = [Content(decisions=[Point(text=text)], summary=text) for text in (before, other, after)]
    merged = merge(parts)
    assert [point.text for point in merged.decisions] == [other, after]
    assert merged.summary == f"{other}\n{after}"


WORDS = st.lists(st.sampled_from(TEXT.split()), min_size=1, max_size=12).map(" ".join)


@given(WORDS, WORDS, WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_whatever_a_model_writes_spans_and_owners_stand_in_the_text(
    said: str, quote: str, owner: str, due: str
) -> None:
    items = [DraftItem(text=said, quote=quote)]
    found = grounded(
        key_points=items, decisions=items, action_items=action(said, quote, owner, due), title=said
    ).content
    for point in (*found.key_points, *found.decisions, *found.action_items):
        assert point.source is not None
        assert TEXT[point.source.start : point.source.end] == point.source.quote
    for each in found.action_items:
        assert each.owner is None or all(name[0].isupper() and name in TEXT for name in each.owner.split(", "))


def test_a_long_line_and_many_speakers_take_linear_time() -> None:
    line = "The seal kit costs 186 euros and Ruben orders it, " * 2000
    crowd = "\n\n".join(f"Speaker{n}: I will order chair {n}." for n in range(10_000))
    items = [DraftItem(text=f"Speaker{n} orders chair {n}.", quote=f"I will order chair {n}.") for n in range(12)]
    begun = perf_counter()
    assert holds("The seal kit costs 186 euros.", line, line, line)
    assert grounded(crowd, key_points=items).content.key_points
    grounded(line, key_points=[DraftItem(text="The seal kit costs 186 euros.", quote=line[:900])])
    assert perf_counter() - begun < 20

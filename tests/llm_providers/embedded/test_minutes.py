"""Decisions and actions of conversations: each line of a table is one rule."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_providers.backends.embedded.minutes import Minutes
from llm_providers.backends.embedded.structured import speakers_of
from llm_providers.sentences import split


def minutes(text: str) -> Minutes:
    sentences = split(text)
    return Minutes(sentences, speakers_of(text, sentences))


def talk(*turns: str) -> Minutes:
    """A conversation of Anna, Ben and Clara; the last two lines make all three speakers."""
    return minutes("\n\n".join(["Anna: Let us start.", "Clara: Hm.", "Ben: Hm.", *turns]))


def actions(found: Minutes) -> list[tuple[str | None, str | None, str]]:
    return [(action.owner, action.due, found.text(action)) for action in found.actions]


@pytest.mark.parametrize(
    ("turns", "owner", "due", "text"),
    [
        (["Anna: I will book the hall by Friday."], "Anna", "Friday", "I will book the hall by Friday."),
        (["Anna: Ben, please order new chairs.", "Ben: I will."], "Ben", None, "Ben, please order new chairs."),
        (["Anna: Ben, could you order new chairs?", "Ben: Sure."], "Ben", None, "Ben, could you order new chairs?"),
        (
            ["Anna: Could you order new chairs?", "Ben: Yes, by Monday."],
            "Ben",
            "Monday",
            "Could you order new chairs?",
        ),
        (["Anna: Order new chairs, Ben.", "Ben: Noted."], "Ben", None, "Order new chairs, Ben."),
        (
            ["Anna: Who writes the report?", "Clara: I can do that."],
            "Clara",
            None,
            "Who writes the report? I can do that.",
        ),
        (
            ["Anna: Ben, could you get one?", "Ben: Fine. I will have a second offer by the thirtieth of May."],
            "Ben",
            "the thirtieth of May",
            "I will have a second offer by the thirtieth of May.",
        ),
        (
            ["Anna: Ben, can you paint the door?", "Ben: I can't.", "Clara: I'll do it."],
            "Clara",
            None,
            "Ben, can you paint the door? I'll do it.",
        ),
        (
            ["Anna: Ben should write the new rota. I will ask him."],
            "Ben",
            None,
            "Ben should write the new rota.",
        ),
        (
            ["Clara: I could lend the school's projector.", "Anna: That would be great."],
            "Clara",
            None,
            "I could lend the school's projector.",
        ),
        (["Anna: Then Clara buys a new kettle."], "Clara", None, "Then Clara buys a new kettle."),
        (
            ["Anna: I will order a new kettle.", "Ben: By when?", "Anna: You'll have it by Friday."],
            "Anna",
            "Friday",
            "I will order a new kettle.",
        ),
        (["Anna: Ben, kannst du die Stühle bestellen?", "Ben: Ja, gerne."], "Ben", None, "Ben, kannst du die Stühle bestellen?"),
        (["Anna: Ich werde den Bericht bis Freitag schreiben."], "Anna", "Freitag", "Ich werde den Bericht bis Freitag schreiben."),
        (["Anna: Ben, wil je stoelen bestellen?", "Ben: Doe ik."], "Ben", None, "Ben, wil je stoelen bestellen? Doe ik."),
        (["Anna: Ik zal de notulen vrijdag sturen."], "Anna", "vrijdag", "Ik zal de notulen vrijdag sturen."),
    ],
)  # fmt: skip
def test_an_action(turns: list[str], owner: str, due: str | None, text: str) -> None:
    assert actions(talk(*turns)) == [(owner, due, text)]


def test_what_is_asked_of_somebody_outside_is_not_done_by_who_speaks_next() -> None:
    turns = ["Anna: Ruben, please order the chairs.", "Clara: And I will call the painter."]
    assert actions(talk(*turns)) == [
        ("Ruben", None, "Ruben, please order the chairs."),
        ("Clara", None, "And I will call the painter."),
    ]
    assert all(owner != "Alright" for owner, *_ in actions(talk("Anna: Alright, please order the chairs.")))


@pytest.mark.parametrize(
    "turns",
    [
        ["Anna: Ben, could you order new chairs?", "Ben: No, I can't."],
        ["Anna: Ben, please order new chairs.", "Ben: I really can't do that."],
        ["Anna: Could you order new chairs?", "Ben: What for?"],
        ["Anna: I will be honest, the chairs are ugly."],
        ["Anna: If I will get the money is not sure."],
        ["Anna: Ben ordered new chairs last week."],
        ["Anna: We could order new chairs."],
        ["Anna: Should we order new chairs?"],
        ["Anna: Let us talk about the chairs next time."],
        ["Anna: Right, please listen."],
        ["Anna: I would like a chain at the door."],
        ["Anna: I will bring the chairs on Friday.", "Ben: Good.", "Anna: I can't bring the chairs after all."],
    ],
)
def test_no_action(turns: list[str]) -> None:
    assert actions(talk(*turns)) == []


def test_what_is_promised_before_the_meeting_begins_or_after_its_end_is_small_talk() -> None:
    found = minutes(
        "Anna: I will bake a lemon cake.\n\nBen: Lovely.\n\nAnna: Let us start. I will book the hall.\n\n"
        "Ben: Fine.\n\nAnna: Thank you all.\n\nBen: I will walk the dog."
    )
    assert [text for _, _, text in actions(found)] == ["I will book the hall."]


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (["Anna: We have decided to raise the rent to nine euros."], "We have decided to raise the rent to nine euros."),
        (["Anna: My proposal: we raise the rent.", "Ben: Agreed."], "My proposal: we raise the rent."),
        (["Ben: Shall we raise the rent in May?", "Anna: Yes, let's do that."], "Shall we raise the rent in May?"),
        (["Ben: The bell should ring in the hall as well.", "Anna: Yes, please."], "The bell should ring in the hall as well."),
        (["Ben: I suggest a higher rent of nine euros.", "Clara: Hm, maybe.", "Anna: Decided."], "I suggest a higher rent of nine euros."),
        (["Ben: I propose a rent of nine euros.", "Clara: Yes.", "Anna: So we raise the rent to nine euros."], "So we raise the rent to nine euros."),
        (["Anna: Ich schlage vor, wir erhöhen die Miete.", "Ben: Einverstanden."], "Ich schlage vor, wir erhöhen die Miete."),
        (["Anna: Mijn voorstel is dat we de huur verhogen.", "Ben: Akkoord."], "Mijn voorstel is dat we de huur verhogen."),
        (["Anna: Wij hebben besloten de brug te sluiten."], "Wij hebben besloten de brug te sluiten."),
    ],
)  # fmt: skip
def test_a_decision(turns: list[str], text: str) -> None:
    found = talk(*turns)
    assert [found.text(decision) for decision in found.decisions] == [text]


@pytest.mark.parametrize(
    "turns",
    [
        ["Anna: Agreed."],
        ["Anna: Have we decided to buy it?"],
        ["Anna: We have not decided to raise the rent."],
        ["Anna: Last year we decided to raise the rent."],
        ["Ben: I propose a rent of nine euros.", "Anna: No, that is too much."],
        ["Ben: We could raise the rent.", "Anna: Let us talk about it next time."],
        ["Ben: Let's move on to the rent of the boats.", "Anna: Yes."],
    ],
)
def test_no_decision(turns: list[str]) -> None:
    assert talk(*turns).decisions == []


@pytest.mark.parametrize(
    ("sentence", "owner"),
    [
        ("Clara Vos will order the parts before 3 March.", "Clara Vos"),
        ("Ben, please book the room for tomorrow.", "Ben"),
        ("Action: check the valves by 2026-12-01", None),
        ("Petra muss den Vertrag heute lesen.", "Petra"),
    ],
)
def test_tasks_outside_of_a_conversation(sentence: str, owner: str | None) -> None:
    assert [found[0] for found in actions(minutes(sentence))] == [owner]


PIECES = [
    "I will order chairs.", "Ben, could you do that?", "Yes.", "No.", "Agreed.", "I propose a rent of 9 euros.", "Then we do that.",
    "Anna should ask her.", "I can't do it after all.", "Who writes it?", "Right, please order it by Friday.", "Thank you all.",
]  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(["Anna", "Ben", "Right", "Clara Vos"]), st.lists(st.sampled_from(PIECES), min_size=1))
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_every_span_stands_in_the_text_and_every_owner_is_a_name(
    turns: list[tuple[str, list[str]]],
) -> None:
    text = "\n\n".join(f"{who}: {' '.join(said)}" for who, said in turns)
    found = minutes(text)
    for point in (*found.decisions, *found.actions):
        start, end = found.span(point)
        assert 0 <= start < end <= len(text)
        assert all(found.said[index] in found.text(point) for index in point.sentences)
        assert point.owner is None or point.owner in text


@pytest.mark.parametrize(
    "text",
    [
        "Anna: " + "I will order chairs and Ben should do it then, please, " * 2000,
        "\n\n".join(f"Speaker{n}: I will order chair {n}. Ben, could you do that?" for n in range(10_000)),
        "\n\n".join(f"Speaker{n}: No, I can't. Speaker{n + 1}, please order chair {n}." for n in range(10_000)),
        "I will " * 15_000,
        "A-" * 50_000,
        "then so " * 12_000,
        "Anna: yes, " * 9_000,
    ],
)  # fmt: skip
def test_hostile_transcripts_take_linear_time(text: str) -> None:
    minutes(text[:1000])
    begun = process_time()
    minutes(text)
    assert process_time() - begun < 20

"""The score of a note, and notes of the embedded engine on transcripts with known decisions and actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.structured import fill
from llm_providers.subtitles import from_subtitles
from notes_service.draft import Draft
from notes_service.grounding import ground, merge
from notes_service.settings import NotesSettings
from notes_service.splitting import split
from switchyard.client import StackError
from switchyard_benchmarks.notes import SETS, read, score, subtitles

DEMO = Path(__file__).parents[2] / "examples" / "meeting-2026-10-14.txt"
TRUE = [
    {"text": "Order two cylinders", "said": "Ben, order two cylinders.", "owner": "Ben Ost", "due": "Friday"},
    {"text": "Paint the door", "said": "I will paint the door.", "owner": "Anna", "due": None},
    {"text": "Feed the cat", "said": "Feed the cat.", "owner": None, "due": None, "optional": True},
]


@pytest.fixture(scope="module")
def encoder(embedded_model_dir: Path) -> Encoder:
    return Encoder(folder=embedded_model_dir)


def note(encoder: Encoder, text: str) -> dict[str, Any]:
    """Make a note as the service does."""
    contents = []
    for start, end in split(text, NotesSettings.model_fields["note_part_tokens"].default):
        draft = Draft.model_validate_json(fill(encoder, Draft.model_json_schema(), text[start:end]))
        contents.append(ground(draft, text, start, end).content)
    return merge(contents).model_dump()


def point(text: str, owner: str | None = None, due: str | None = None) -> dict[str, Any]:
    return {"text": text, "source": {"quote": text}, "owner": owner, "due": due}


def test_points_are_matched_one_to_one() -> None:
    found = [point("Order the two cylinders", "Ben", "by Friday"), point("Order two cylinders"), point("Feed the cat")]
    scored = score("action_items", found, TRUE)
    assert scored.false == ["Order the two cylinders"] or scored.false == ["Order two cylinders"]
    assert scored.missed == ["Paint the door"]
    assert scored.row()[:3] == ["0.67", "0.50", "0.57"]


def test_owner_and_due_are_scored_where_the_action_was_found() -> None:
    scored = score(
        "action_items", [point("Order two cylinders", "Ben", "Monday"), point("Paint the door", "Anna")], TRUE
    )
    assert scored.row() == ["1.00", "1.00", "1.00", "1.00", "0.50"]


def test_nothing_found_is_a_score() -> None:
    assert score("decisions", [], TRUE).row() == ["0.00", "0.00", "0.00", "–", "–"]
    assert score("decisions", [], []).f1 == 0


@pytest.mark.parametrize("form", ["vtt", "srt"])
def test_a_transcript_as_subtitles_says_the_same(form: str) -> None:
    file, _ = read(SETS, "arts-centre")
    text = file.read_text()
    assert from_subtitles(subtitles(text, form)) == text.split("\n\n", 1)[1].strip()


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="nothing"):
        read(tmp_path, "nothing")


def test_every_word_said_in_the_truth_stands_in_its_transcript() -> None:
    for truth in SETS.glob("*.truth.json"):
        file, rows = read(SETS, truth.name.removesuffix(".truth.json"))
        transcript = " ".join(file.read_text().split())
        for row in (*rows["decisions"], *rows["action_items"]):
            assert all(
                part in transcript for part in row["said"].replace("? ", "?\n").replace(". ", ".\n").splitlines()
            )


@pytest.mark.parametrize("form", ["txt", "vtt", "srt"])
def test_an_hour_of_talk(encoder: Encoder, form: str) -> None:
    file, truth = read(SETS, "arts-centre")
    text = file.read_text() if form == "txt" else from_subtitles(subtitles(file.read_text(), form))
    found = note(encoder, text)
    for kind in ("decisions", "action_items"):
        assert score(kind, found[kind], truth[kind]).f1 >= 0.8


def test_the_demo(encoder: Encoder) -> None:
    found = note(encoder, DEMO.read_text())
    decisions = [point["text"] for point in found["decisions"]]
    assert decisions == [
        "So it is decided: we replace the shaft seal and the bearing of pump 2 this month and do not wait for spring.",
        "Decided, then: the Long House screen is postponed to May 2027.",
        "The telephone should ring in the staff room as well.",
    ]
    actions = {(action["owner"], action["due"]): action["text"] for action in found["action_items"]}
    assert list(actions) == [
        ("Ruben", "tomorrow, the fifteenth of October"),
        ("Tobias", "Friday the thirtieth of October"),
        ("Oda", "the thirtieth of November"),
        ("Tobias", "the first of November"),
        ("Ruben", "the twenty-third of October"),
        ("Jonna", None),
    ]
    assert actions["Oda", "the thirtieth of November"] == "I will have a second quotation by the thirtieth of November."
    assert "I will ask her." not in actions.values()

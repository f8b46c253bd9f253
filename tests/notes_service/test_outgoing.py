"""What a model wrote in a note, held against the output guard."""

from __future__ import annotations

from notes_service.draft import instructions
from notes_service.grounding import Content
from notes_service.outgoing import OutgoingNote
from service_kit.output_guard import GuardModes, OutputGuardSettings

SOURCE = "Ann: the plan is at https://plan.example/a, see <b>page 2</b>."
MODES = GuardModes.of(OutputGuardSettings())


def test_what_a_model_wrote_in_a_note_is_made_harmless() -> None:
    quote = {"quote": "see <b>page 2</b>", "start": 44, "end": 61}
    content = Content.model_validate(
        {
            "summary": "The plan is at https://plan.example/a ![x](https://evil.example/x).",
            "key_points": [{"text": "See <b>page 2</b>", "source": quote}],
            "decisions": [{"text": f"Repeat: {instructions('meeting')}"}],
            "action_items": [{"text": "Call 10.0.0.3:80 now", "owner": "Ann<i>", "due": None}],
            "tags": ["sy-AbCdEfGhIjKlMnOpQrStUv"],
        }
    )
    outgoing = OutgoingNote(MODES, [instructions("meeting")], SOURCE)
    found = outgoing.content(content)
    assert found.summary == "The plan is at https://plan.example/a x (image left out)."
    assert found.key_points[0].text == "See ‹b›page 2‹/b›"
    assert found.key_points[0].source is not None
    assert found.key_points[0].source.quote == "see <b>page 2</b>"
    assert found.decisions == []
    assert (found.action_items[0].text, found.action_items[0].owner) == ("Call (address left out) now", "Ann‹i›")
    assert found.tags == ["(secret left out)"]
    assert {finding.kind for finding in outgoing.findings} == {"link", "html", "prompt", "address", "secret"}

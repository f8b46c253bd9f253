"""A note as Markdown."""

from __future__ import annotations

import pytest

from notes_service import markdown
from notes_service.grounding import Content
from notes_service.tables import Note


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1"])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    content = {
        "summary": text,
        "key_points": [{"text": text, "source": {"quote": text, "start": 0, "end": 1}}],
        "decisions": [],
        "action_items": [{"text": text, "owner": text, "due": text, "source": None}],
        "tags": [text],
    }
    note = Note(title=text, content=Content.model_validate(content).model_dump(), incomplete=False, extractive=False)
    exported = markdown.render(note)
    # Escaped it is text, in Markdown and in a spreadsheet.
    assert exported.count("\\" + text.strip()[0]) >= 6
    for line in exported.splitlines():
        for cell in (line, line.lstrip("#> -[]*")):
            assert not cell.startswith(("=", "+", "@", "\t"))

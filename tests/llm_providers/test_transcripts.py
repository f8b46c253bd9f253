"""Speakers, names and subtitles."""

from __future__ import annotations

import pytest

from llm_providers.subtitles import from_subtitles
from llm_providers.transcripts import content, listed, named, speaker, without_speaker

VTT = """WEBVTT
Kind: captions

NOTE made by the recorder

0a7c-11
00:00:00.000 --> 00:00:06.500 align:start
<v Mara Lind>Good morning &amp; welcome, let us</v>

00:00:07.000 --> 00:00:13.500
<v Mara Lind>start.</v>

00:14.000 --> 00:20.500
<v.loud Jonas Beck>The seal of <i>pump two</i> leaks.</v>
and drips.
"""
SRT = """1
00:00:00,000 --> 00:00:06,500
Mara Lind: Good morning & welcome, let us

2
00:00:07,000 --> 00:00:13,500
Mara Lind: start.

3
00:00:14,000 --> 00:00:20,500
Jonas Beck: The seal of pump two leaks.
and drips.
"""
PLAIN = "Mara Lind: Good morning & welcome, let us start.\n\nJonas Beck: The seal of pump two leaks. and drips."


@pytest.mark.parametrize("text", [VTT, SRT, PLAIN, "\ufeff" + VTT.replace("\n", "\r\n")])
def test_subtitles_become_turns(text: str) -> None:
    assert from_subtitles(text) == PLAIN


@pytest.mark.parametrize("text", ["", "  \n", "WEB", "At 10:00 --> noon", "00:00:01.000 is early"])
def test_other_text_stays(text: str) -> None:
    assert from_subtitles(text) == text


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Anna: Hello.", "Anna"),
        ("[00:12:01] Anna Vries (chair): Good morning.", "Anna Vries"),
        ("Présent", None),
        ("Émile: Oui.", "Émile"),
        ("Present: Anna Vries, Ben Ost", None),
        ("nothing of the kind", None),
    ],
)
def test_speakers(line: str, name: str | None) -> None:
    assert speaker(line) == name


def test_names() -> None:
    assert without_speaker("Anna: Hello.") == "Hello."
    assert listed("Absent: Jonna Freywald (ill)") == {"jonna", "freywald"}
    assert listed("Anna: Jonna is ill.") == frozenset()
    assert named("So Casper", {"casper"}) == "Casper"
    assert named("Right", ()) is named("I'll", ()) is None
    assert named("O'Neil", ()) == "O'Neil"


def test_content() -> None:
    assert content("Yes, let's do that.") == content("I will ask her on Tuesday.") == frozenset()
    assert content("Ruben, please order the seals.", {"ruben"}) == {"order", "seal"}

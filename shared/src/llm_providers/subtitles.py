"""Subtitles as what is said: WebVTT (https://www.w3.org/TR/webvtt1/), SubRip, YouTube's SBV, and SubStation Alpha.

SubRip, SBV and SubStation Alpha have no specification; they are read as the programs that write them do.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from llm_providers.transcripts import speaker, without_speaker

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_ARROW = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}")
_SBV = re.compile(rf"\s*{_TIME},{_TIME}\s*$")
_DIALOGUE = re.compile(
    rf"Dialogue:[^,]{{0,40}},\s*{_TIME},[^,]{{0,20}},[^,]{{0,200}},([^,]{{0,200}}),(?:[^,]{{0,40}},){{4}}(.*)$"
)
_VOICE = re.compile(r"<v(?:\.[\w.]+)?\s+([^<>]{1,100})>")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_BLANK = re.compile(r"\n[ \t]*\n")


@dataclass(slots=True)
class Turn:
    """What one speaker says without a break, as "Name: words" where the name is known; `start` is in seconds."""

    start: float
    text: str


def turns(text: str) -> list[Turn]:
    """Return what is said, turn by turn; nothing for a text that is no subtitles."""
    said: list[Turn] = []
    last = ""
    for start, line in _lines(text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip()):
        voice = _VOICE.search(line)
        words = " ".join(html.unescape(_TAG.sub("", line)).split())
        # Captions that roll repeat the line before.
        if not words or (words == last and not voice):
            continue
        last = words
        if voice:
            words = f"{' '.join(html.unescape(voice[1]).split())}: {without_speaker(words)}"
        who = speaker(words) or (words.partition(":")[0] if voice else None)
        if said and (who is None or said[-1].text.startswith(f"{who}: ")):
            said[-1].text += " " + (words if who is None else words[len(who) + 1 :].strip())
        else:
            said.append(Turn(start, words))
    return said


def from_subtitles(text: str) -> str:
    """Return subtitles as paragraphs of "Name: words", one for each turn; any other text as it is."""
    return "\n\n".join(turn.text for turn in turns(text)) or text


def _lines(text: str) -> Iterator[tuple[float, str]]:
    """Yield each line with the second at which its cue begins."""
    if text.startswith("[Script Info]"):
        for line in text.split("\n"):
            if spoken := _DIALOGUE.match(line):
                name = spoken[5].strip()
                for part in spoken[6].replace("\\n", "\\N").split("\\N"):
                    yield _seconds(spoken), f"<v {name}>{part}" if name else part
        return
    blocks = [block.split("\n") for block in _BLANK.split(text)]
    if not text.startswith("WEBVTT") and not any(_timed(line) for line in blocks[0][:2]):
        return
    for block in blocks:
        timed = next(((at, time) for at, line in enumerate(block[:2]) if (time := _timed(line))), None)
        if timed is not None:
            at, time = timed
            for line in block[at + 1 :]:
                # One line may hold several voices.
                for part in re.split(r"(?=<v[ .])", line):
                    yield _seconds(time), part


def _timed(line: str) -> re.Match[str] | None:
    return _ARROW.match(line) or _SBV.match(line)


def _seconds(time: re.Match[str]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in time.groups()[:4])
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")

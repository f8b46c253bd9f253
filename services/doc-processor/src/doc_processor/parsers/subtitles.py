"""Subtitles: what is said, turn by turn, in pages of about a minute that bear the time at which they begin."""

from __future__ import annotations

from doc_processor.parsers.base import ParsedPage, ParseLimits, ReadyPages, Upload
from doc_processor.parsers.plain import parse as parse_plain
from doc_processor.parsers.plain import read_text
from doc_processor.text import tidy
from llm_providers.subtitles import Turn, turns

_PAGE_SECONDS = 60


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Take a file without a single cue for plain text."""
    text, warnings = read_text(upload.path.read_bytes())
    said = turns(text)
    if not said:
        return parse_plain(upload, limits)
    # A recording of any length fits: only the last of too many pages is a long one.
    pages: list[list[Turn]] = []
    for turn in said:
        if not pages or (turn.start - pages[-1][0].start >= _PAGE_SECONDS and len(pages) < limits.max_pages):
            pages.append([])
        pages[-1].append(turn)
    made = [
        ParsedPage(tidy("\n\n".join(turn.text for turn in page)), "subtitles", label=_clock(page[0].start))
        for page in pages
    ]
    return ReadyPages(made, warnings)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"

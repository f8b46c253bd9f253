"""Citations: each `[n]` in an answer is checked against passage n, and points at the words there that bear it out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, Field
from rapidfuzz import fuzz

from rag_service.ranking import Passage

_MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_SENTENCE = re.compile(r"(?s).+?(?:[.!?…]+(?=\s|$)|\n\s*\n|$)")
_STOPS = ("!", ".", "?", "…")
_SUPPORTED = 60.0
"""Least likeness, of 100, between a claim and the quoted words."""
_LONGEST_QUOTE = 400


class Citation(BaseModel):
    """Where a claim of the answer is borne out; `start` and `end` count characters in the page's text."""

    label: str = Field(description="What stands in brackets in the answer")
    document_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str
    supported: bool = Field(description="Whether the quoted words are like the claim; false asks for a look")


def check(answer: str, passages: Sequence[Passage]) -> tuple[list[Citation], list[str]]:
    """Return the citations of `answer`, and its labels that name no passage; passage n has the label str(n)."""
    by_label = {str(number): passage for number, passage in enumerate(passages, 1)}
    citations: list[Citation] = []
    unknown: list[str] = []
    claimed_from, claim = 0, ""
    for marker in _MARKER.finditer(answer):
        # Of two labels in a row, both stand for the words before the first.
        claim = answer[claimed_from : marker.start()].strip(" \n\t,;.") or claim
        claimed_from = marker.end()
        for label in re.split(r"\s*,\s*", marker.group(1)):
            if (passage := by_label.get(label)) is None:
                unknown.append(label)
            else:
                citations.append(_cite(label, passage, claim))
    return citations, unknown


def _cite(label: str, passage: Passage, claim: str) -> Citation:
    if (exact := _word_for_word(claim, passage.text)) is not None:
        end = exact.end()
        start, end, likeness = exact.start(), end + (passage.text[end : end + 1] in _STOPS), 100.0
    else:
        start, end, likeness = _closest(passage.text, claim)
    return Citation(
        label=label,
        document_id=passage.document_id,
        title=passage.title,
        page=passage.page,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
        supported=likeness >= _SUPPORTED,
    )


def _word_for_word(claim: str, text: str) -> re.Match[str] | None:
    """Find the claim's words in `text`, whatever white space stands between them: an answer has other line breaks."""
    words = claim.split()
    return re.search(r"\s+".join(map(re.escape, words)), text) if words else None


def _closest(text: str, claim: str) -> tuple[int, int, float]:
    """Return span and likeness of the sentence in `text` that is most like `claim`."""
    best = (0, min(len(text), _LONGEST_QUOTE), 0.0)
    for found in _SENTENCE.finditer(text):
        sentence = found.group().strip()
        if not sentence:
            continue
        likeness = fuzz.token_set_ratio(claim.lower(), sentence.lower())
        if likeness > best[2]:
            start = found.start() + found.group().index(sentence)
            best = (start, start + min(len(sentence), _LONGEST_QUOTE), likeness)
    return best

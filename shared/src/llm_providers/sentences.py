"""Sentences, their words, and which of them say what a question asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from statistics import median

_NUMBERED = re.compile(r"\b(?:no|nr)\.\s+\d", re.IGNORECASE)
_ABBREVIATED = re.compile(
    r"(?:\b(?:(?<!°)[A-Z]|(?i:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|cf|fig|inc|ltd|co|jr|sr|approx|bzw|z\.b|d\.h|ca|bijv|o\.a|dhr|mevr|drs|ir))\.)$"
)
# Possessive, and only from the first mark on: a million full stops take linear time.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s+[\"'“‘(\[]?[\w¿¡])|[。！？]++[」』”’）]*+")
_DAY = re.compile(
    r"(?<!\d)\d{1,2}\.\s+(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b"
)
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*•|#>]|\d+[.)]\s|[A-Z][\w .'-]{0,30}:\s))")
_NUMBER = re.compile(r"\s*\d+\.")
_WIDEST = 40
"""Characters before the point of a list item's number, spaces included."""
_LONG, _FEWEST_LINES, _RAGGED = 400, 4, 0.7
"""A sentence of so many characters and lines is none where the middle line is so much shorter than the longest, or every second
ends in a mark: these are the lines of a program, a list or a table. Those of running text are about as long as each other."""
_WORD = re.compile(r"\w+", re.UNICODE)
_ENDINGS = ("ations", "ation", "ingly", "ings", "ing", "edly", "ies", "ed", "es", "en", "er", "ly", "s", "e", "y")
_SHORTEST_STEM = 4
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s+|[-*•>]\s+|\d+[.)]\s+)")

STOP_WORDS = frozenset(
    """a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it
    its may me my no not of on or our she should so some such than that the their them then there these they this to
    was we were what when where which while who whom whose why will with would you your de het een en van ik te dat
    die in is niet zijn op aan met als voor er maar om dan zou of wat mijn dit zo door over hij ze zij naar heb hoe
    heeft hebben uit nog wie waar wanneer welke werd wordt worden bij ook was der die das den dem des ein eine einer
    eines und ist im zu mit auf für von nicht es sich auch als an bei nach wie wer wo wann was welche welcher wird
    wurde werden aus hat haben sind war""".split()
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in its text, which `start` and `end` delimit."""

    text: str
    start: int
    end: int
    heading: bool = False


def split(text: str) -> list[Sentence]:
    """Split Markdown or plain text into sentences; list items, table rows and speaker turns end one too."""
    found: list[Sentence] = []
    start = 0
    bounds = [match.span() for match in _BLOCK.finditer(text)] + [(len(text), len(text))]
    for block_end, next_start in bounds:
        cut = start
        for match in _END.finditer(text, start, block_end):
            if match.start() - cut < _WIDEST and _NUMBER.fullmatch(text, cut, match.end()):
                continue
            before = max(cut, match.start() - 6)
            if _ABBREVIATED.search(text, before, match.end()) or _NUMBERED.search(text, before, match.end() + 2):
                continue
            if any(_DAY.match(text, max(cut, match.start() - digits)) for digits in (1, 2)):
                continue
            found += _sentences(text, cut, match.end())
            cut = match.end()
        found += _sentences(text, cut, block_end)
        start = next_start
    return _with_bare_headings([sentence for sentence in found if _WORD.search(sentence.text)], text)


def _sentences(text: str, start: int, end: int) -> list[Sentence]:
    """Return the sentence from `start` to `end`, or its lines where it is no running text."""
    lines = text[start:end].splitlines(keepends=True) if end - start >= _LONG else []
    if len(lines) < _FEWEST_LINES:
        return [_trimmed(text, start, end)]
    lengths = [len(line.strip()) for line in lines]
    marked = sum(not line.rstrip()[-1:].isalnum() for line in lines)
    if median(lengths) > _RAGGED * max(lengths) and marked < len(lines) / 2:
        return [_trimmed(text, start, end)]
    ends = list(accumulate(map(len, lines), initial=start))
    return [_trimmed(text, *span) for span in pairwise(ends)]


def _with_bare_headings(sentences: list[Sentence], text: str) -> list[Sentence]:
    """Take headings that have nothing below them for sentences, as in a list of opening hours made of headings."""
    found = []
    for place, sentence in enumerate(sentences):
        following = sentences[place + 1] if place + 1 < len(sentences) else None
        below = following is not None and (not following.heading or _level(text, following) > _level(text, sentence))
        found.append(sentence if below or not sentence.heading else replace(sentence, heading=False))
    return found


def _level(text: str, heading: Sentence) -> int:
    """Return how many marks stand before a heading."""
    line = text[text.rfind("\n", 0, heading.start) + 1 : heading.start]
    return line.count("#")


def _trimmed(text: str, start: int, end: int) -> Sentence:
    raw = text[start:end]
    heading = raw.lstrip().startswith("#")
    if (markup := _MARKUP.match(raw)) is not None:
        start += markup.end()
    raw = text[start:end]
    start += len(raw) - len(raw.lstrip())
    return Sentence(raw.strip(), start, start + len(raw.strip()), heading)


def words(text: str) -> list[str]:
    """Return the content words of `text`, lower-cased and cut to a crude stem."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def _stem(word: str) -> str:
    # Until nothing comes off, so that "delivers" and "deliver" become the same.
    while (
        ending := next((e for e in _ENDINGS if word.endswith(e) and len(word) - len(e) >= _SHORTEST_STEM), "")
    ) != "":
        word = word[: -len(ending)]
    return word

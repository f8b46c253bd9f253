"""Whether a text says what a point says: numbers, dates, names and negation, owners and due dates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llm_providers.sentences import split, words
from llm_providers.transcripts import NO_NAMES, content
from service_kit.statements.alignment import exchanged
from service_kit.statements.facts import StatedFacts, facts_of
from service_kit.statements.stop_words import STOP_WORDS

_WORD = re.compile(r"\w+")
_ALIKE = 0.3
"""Least share of a point's words that must stand in or beside what it quotes: the rest may be the model's own wording."""
_HEAD = 2000
"""Characters at the beginning of a text where its people may be listed."""


def holds(said: str, quote: str, beside: str, around: str) -> bool:
    """Say whether `quote` bears `said` out; numbers and dates may also stand `beside` it, names anywhere `around` it.

    What is quoted word for word holds.
    """
    plain = _plain(quote)
    if all(_plain(sentence.text) in plain for sentence in split(said)):
        return True
    claim, source, own = facts_of(said), facts_of(quote), content(said)
    if not _stands(claim, facts_of(beside), around) or len(own & content(beside)) < _ALIKE * len(own):
        return False
    nearest = max(
        (sentence.text for sentence in split(quote)), key=lambda text: len(own & content(text)), default=quote
    )
    denied = claim.contradicts(source) and claim.contradicts(facts_of(nearest))
    return not denied and not exchanged(said, nearest, facts_of(around).names)


def stands(said: str, text: str) -> bool:
    """Say whether the numbers, dates and names of a sentence stand in a text."""
    return _stands(facts_of(said), facts_of(text), text)


def owner_in(owner: str | None, text: str, start: int, end: int) -> str | None:
    """Return the owner in the text's own spelling if it is a name there, else None: "Right" and "everybody" are none."""
    names = []
    for name in re.split(r"[,;&/+]|\b(?:and|und|en)\b", owner or ""):
        spoken = [word.lower() for word in _WORD.findall(name) if word.lower() not in NO_NAMES]
        found = (each for place in (text[start:end], text[:_HEAD]) for each in _spelled(spoken, place))
        names.append(next((each for each in found if each[0].isupper()), None))
    known = [name for name in names if name]
    return ", ".join(known) if known and len(known) == len(names) else None


def due_in(due: str | None, near: str) -> str | None:
    """Return the due date if its words, or its numbers and months, stand near the action, else None."""
    due = (due or "").strip()
    if next(_spelled(_WORD.findall(due.lower()), near), None) is not None:
        return due
    facts = facts_of(due)
    stated = any(_stands(facts, facts_of(sentence.text), near) for sentence in split(near))
    return due if (facts.numbers or facts.dates) and stated else None


def _stands(claim: StatedFacts, source: StatedFacts, text: str) -> bool:
    if claim.missing_numbers(source, source) or not claim.dates <= source.dates or not claim.codes <= source.codes:
        return False
    # In German every noun is capitalised.
    missing = claim.names - facts_of(text).words
    return not missing or _is_german(text) or not set(words(" ".join(missing))) - set(words(text))


def _is_german(text: str) -> bool:
    found = _WORD.findall(text.lower())
    counts = {language: sum(word in STOP_WORDS[language] for word in found) for language in ("de", "en", "nl")}
    return counts["de"] > max(counts["en"], counts["nl"])


def _spelled(spoken: list[str], text: str) -> Iterator[str]:
    """Yield every place where these words, in lower case, stand one after the other, as it is written there."""
    if not spoken:
        return
    found = list(_WORD.finditer(text))
    said = [match.group().lower() for match in found]
    for first in range(len(found) - len(spoken) + 1):
        if said[first : first + len(spoken)] == spoken:
            yield text[found[first].start() : found[first + len(spoken) - 1].end()]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())

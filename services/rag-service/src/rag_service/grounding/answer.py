"""An answer, sentence by sentence: labels corrected, each sentence supported or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_service.citations import Citation
from rag_service.grounding.answering import answers
from rag_service.grounding.attribution import Attribution, attribute
from rag_service.grounding.sentences import split
from rag_service.ranking import Passage
from service_kit.statements.facts import facts_of, is_chatter, is_echo, is_refusal

_MARKER = re.compile(r"(?:(?<!\s)\s+)?\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_BEGUN = re.compile(r"(?!\[)\S+\s")
"""The first word of a sentence that is not a citation label; once it is there, the sentence before is complete."""
_LOOK = 24
"""Least number of characters between two looks for the end of a sentence."""


@dataclass(frozen=True, slots=True)
class GroundedSentence:
    """A sentence of an answer, which stands with its labels at `start` to `end`; `text` is without them.

    `supported` is null where it claims nothing; `answers` is true where it is supported and answers the question.
    """

    start: int
    end: int
    text: str
    supported: bool | None
    citations: tuple[Citation, ...] = ()
    answers: bool = False


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """The sentences in order, those that were dropped, and the labels that name no passage."""

    text: str
    sentences: tuple[GroundedSentence, ...]
    dropped: tuple[GroundedSentence, ...]
    unknown_labels: tuple[str, ...]

    @property
    def citations(self) -> list[Citation]:
        return [citation for sentence in self.sentences for citation in sentence.citations]

    @property
    def unsupported(self) -> list[GroundedSentence]:
        return [*self.dropped, *(sentence for sentence in self.sentences if sentence.supported is False)]

    @property
    def answers(self) -> bool:
        return any(sentence.answers for sentence in self.sentences)


def ground(answer: str, passages: Sequence[Passage], question: str = "") -> GroundedAnswer:
    """Attribute each sentence to passages, whatever labels the model gave; passage n has the label str(n).

    A label whose passage supports the sentence is kept; of a supported sentence all others are replaced by the best passage's,
    and one without a label gets it. What a sentence claims is judged by its numbers, dates, codes, names and negation, and by how
    much of the rest stands in the quoted words.
    """
    grounding = Grounding(passages, question)
    grounding.finish(answer)
    return grounding.answer()


class Grounding:
    """An answer that is grounded as it comes, each sentence as soon as it is complete.

    With `drop`, sentences that no passage supports are no part of the text. Where the sentences are not quoted, but `written`
    by a model, they must have more in common with the passages to count as an answer to the question.
    """

    def __init__(self, passages: Sequence[Passage], question: str, *, drop: bool = False, written: bool = True) -> None:
        self._passages, self._question, self._drop, self._written = passages, question, drop, written
        self._pending, self._next_look = "", 0
        self.text = ""
        self.sentences: list[GroundedSentence] = []
        self.dropped: list[GroundedSentence] = []
        self._unknown: list[str] = []

    def add(self, text: str) -> list[GroundedSentence]:
        """Take more of the answer; return the sentences that this completed and that are in the text."""
        self._pending += text
        if len(self._pending) < self._next_look:
            return []
        spans = _labelled(self._pending)
        found = self._ground(spans[:-1]) if spans and _BEGUN.match(self._pending, spans[-1][0]) else []
        # Looks are rarer in a sentence without an end, so that its length does not count twice.
        self._next_look = len(self._pending) + max(_LOOK, len(self._pending) // 4)
        return found

    def finish(self, text: str = "") -> list[GroundedSentence]:
        """Take the end of the answer; return the sentences that were not returned before."""
        self._pending += text
        found = self._ground(_labelled(self._pending))
        self.text += self._pending
        self._pending = ""
        if self._drop:
            self.text = self.text.rstrip()
        return found

    def answer(self) -> GroundedAnswer:
        return GroundedAnswer(self.text, tuple(self.sentences), tuple(self.dropped), tuple(self._unknown))

    def _ground(self, spans: Sequence[tuple[int, int, list[str]]]) -> list[GroundedSentence]:
        place, first = 0, len(self.sentences)
        for start, end, labels in spans:
            self._take(self._pending[place:start], self._pending[start:end], labels)
            place = end
        self._pending = self._pending[place:]
        return self.sentences[first:]

    def _take(self, gap: str, written: str, labels: Sequence[str]) -> None:
        count = len(self._passages)
        known = [int(label) - 1 for label in labels if 0 < int(label) <= count]
        self._unknown += [label for label in labels if not 0 < int(label) <= count]
        said = _MARKER.sub("", written).rstrip()
        found = _attributions(said, known, self._passages)
        supported = found[0].supported if found else None
        citations = tuple(_citation(each, self._passages[each.passage]) for each in found if each.supported or known)
        written = _with_labels(written, said, labels, citations)
        if self._drop and not self.text:
            gap = gap.lstrip()
        begin = len(self.text) + len(gap)
        answering = bool(supported) and self._answers(said, found)
        sentence = GroundedSentence(begin, begin + len(written), said, supported, citations, answering)
        if self._drop and supported is False:
            self.dropped.append(sentence)
        else:
            self.text += gap + written
            self.sentences.append(sentence)

    def _answers(self, said: str, found: Sequence[Attribution]) -> bool:
        if not self._written:
            return not is_refusal(said) and not is_echo(said, self._question)
        quoted = [(each, self._passages[each.passage]) for each in found if each.supported]
        return any(
            answers(said, self._question, f"{each.place}\n{passage.text[each.start : each.end]}", passage.language)
            for each, passage in quoted
        )


def _labelled(answer: str) -> list[tuple[int, int, list[str]]]:
    """Return the span of each sentence, the labels behind it included, and those labels."""
    found: list[tuple[int, int, list[str]]] = []
    # Labels are blanked, not removed, so that places stay; a full stop before them ends the sentence all the same.
    blanked = _MARKER.sub(lambda match: " " * len(match.group()), answer)
    for sentence in split(blanked):
        end = sentence.end
        while (marker := _MARKER.match(answer, end)) is not None or (marker := _stop_behind(answer, end)) is not None:
            end = marker.end()
        labels = [
            label.strip() for marker in _MARKER.finditer(answer, sentence.start, end) for label in marker[1].split(",")
        ]
        found.append((sentence.start, end, labels))
    return found


def _stop_behind(answer: str, end: int) -> re.Match[str] | None:
    return re.compile(r"[.!?…]").match(answer, end) if answer[end - 1 : end] == "]" else None


def _attributions(said: str, known: Sequence[int], passages: Sequence[Passage]) -> list[Attribution]:
    """Return where a sentence comes from: the passages it names if they bear it out, else the best one; nothing for no claim."""
    if not passages or is_chatter(said):
        return []
    claim = facts_of(said)
    found = attribute(said, passages)
    named = [each for each in found if each.passage in known and each.supported]
    introduces = is_refusal(said) or (said.endswith(":") and not claim.names)
    if introduces and not any(each.supported for each in found):
        return []
    return named or found[:1]


def _citation(found: Attribution, passage: Passage) -> Citation:
    start, end, quote = passage.place(found.start, found.end)
    return Citation(
        label=str(found.passage + 1),
        document_id=passage.document_id,
        title=passage.title,
        page=passage.page,
        start=start,
        end=end,
        quote=quote,
        supported=found.supported,
    )


def _with_labels(written: str, said: str, labels: Sequence[str], citations: Sequence[Citation]) -> str:
    """Return a sentence with the labels of the passages that bear it out: as it was written, if it has them."""
    right = dict.fromkeys(citation.label for citation in citations if citation.supported)
    if not right or set(labels) == set(right):
        return written
    return said + "".join(f" [{label}]" for label in right)

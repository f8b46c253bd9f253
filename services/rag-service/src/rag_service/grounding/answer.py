"""An answer, sentence by sentence: labels corrected, each sentence supported or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_service.citations import Citation
from rag_service.grounding.attribution import Attribution, attribute
from rag_service.grounding.facts import facts_of, is_chatter, is_refusal
from rag_service.grounding.sentences import split
from rag_service.keyword.analysis import query_terms
from rag_service.ranking import Passage

_MARKER = re.compile(r"(?:(?<!\s)\s+)?\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_FEWEST_WORDS = 2
"""Words of its own that a sentence needs to claim anything."""


@dataclass(frozen=True, slots=True)
class GroundedSentence:
    """A sentence of an answer, which stands with its labels at `start` to `end`; `text` is without them.

    `supported` is null where it claims nothing.
    """

    start: int
    end: int
    text: str
    supported: bool | None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """The sentences in order, and the labels that name no passage."""

    text: str
    sentences: tuple[GroundedSentence, ...]
    unknown_labels: tuple[str, ...]

    @property
    def citations(self) -> list[Citation]:
        return [citation for sentence in self.sentences for citation in sentence.citations]

    @property
    def unsupported(self) -> list[GroundedSentence]:
        return [sentence for sentence in self.sentences if sentence.supported is False]

    @property
    def holds(self) -> bool:
        """Whether at least one sentence is borne out."""
        return any(sentence.supported for sentence in self.sentences)

    def without_unsupported(self) -> str:
        """Return the text without the sentences that no passage bears out."""
        kept, place = [], 0
        for sentence in self.unsupported:
            kept.append(self.text[place : sentence.start])
            place = sentence.end
        return "".join([*kept, self.text[place:]]).strip()


def ground(answer: str, passages: Sequence[Passage]) -> GroundedAnswer:
    """Attribute each sentence to passages, whatever labels the model gave; passage n has the label str(n).

    A label whose passage bears the sentence out is kept; of a supported sentence all others are replaced by the best passage's,
    and one without a label gets it. What a sentence claims is judged by its numbers, dates, codes, names and negation, and by how
    much of the rest stands in the quoted words.
    """
    text, sentences, unknown = "", [], []
    place = 0
    for start, end, labels in _labelled(answer):
        known = [int(label) - 1 for label in labels if 0 < int(label) <= len(passages)]
        unknown += [label for label in labels if not 0 < int(label) <= len(passages)]
        said = _MARKER.sub("", answer[start:end]).rstrip()
        found = _attributions(said, known, passages)
        supported = found[0].supported if found else None
        citations = tuple(_citation(each, passages[each.passage]) for each in found if each.supported or known)
        text += answer[place:start]
        begin = len(text)
        text += _with_labels(answer[start:end], said, labels, citations)
        sentences.append(GroundedSentence(begin, len(text), said, supported, citations))
        place = end
    return GroundedAnswer(text + answer[place:], tuple(sentences), tuple(unknown))


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
            label
            for marker in _MARKER.finditer(answer, sentence.start, end)
            for label in re.split(r"\s*,\s*", marker[1])
        ]
        found.append((sentence.start, end, labels))
    return found


def _stop_behind(answer: str, end: int) -> re.Match[str] | None:
    return re.compile(r"[.!?…]").match(answer, end) if answer[end - 1 : end] == "]" else None


def _attributions(said: str, known: Sequence[int], passages: Sequence[Passage]) -> list[Attribution]:
    """Return where a sentence comes from: the passages it names if they bear it out, else the best one; nothing for no claim."""
    language = passages[0].language if passages else ""
    claim = facts_of(said)
    too_short = len(query_terms(said, [language])) < _FEWEST_WORDS and not claim.numbers and not claim.codes
    if not passages or is_chatter(said) or (too_short and not known):
        return []
    found = attribute(said, language, passages)
    named = [each for each in found if each.passage in known and each.supported]
    introduces = is_refusal(said) or (said.endswith(":") and not claim.names)
    if introduces and not any(each.supported for each in found):
        return []
    return named or found[:1]


def _citation(found: Attribution, passage: Passage) -> Citation:
    return Citation(
        label=str(found.passage + 1),
        document_id=passage.document_id,
        title=passage.title,
        page=passage.page,
        start=passage.start + found.start,
        end=passage.start + found.end,
        quote=passage.text[found.start : found.end],
        supported=found.supported,
    )


def _with_labels(written: str, said: str, labels: Sequence[str], citations: Sequence[Citation]) -> str:
    """Return a sentence with the labels of the passages that bear it out: as it was written, if it has them."""
    right = dict.fromkeys(citation.label for citation in citations if citation.supported)
    if not right or set(labels) == set(right):
        return written
    return said + "".join(f" [{label}]" for label in right)

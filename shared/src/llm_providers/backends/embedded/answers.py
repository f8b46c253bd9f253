"""Answers by extraction: the sources' own sentences, chosen by relevance, each with its label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.sentences import Sentence, overlap, split, words
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import Source

_MAX_SENTENCES = 3
_LEXICAL = 0.35
"""Weight of shared words against cosine: names and numbers matter more than MiniLM's vectors tell."""
_ENOUGH = 0.42
"""Least relevance of an answer."""
_CLOSE = 0.88
"""A further sentence is quoted if its relevance is at least this share of the best one's."""


def answer(encoder: Encoder, question: str, sources: Sequence[Source]) -> str:
    """Return one to three sentences with `[label]` behind each, or `NO_ANSWER`."""
    candidates: list[tuple[Source, Sentence]] = []
    seen: set[str] = set()
    for source in sources:
        for sentence in split(source.text):
            if not sentence.heading and len(sentence.text) > 15 and sentence.text not in seen:
                seen.add(sentence.text)
                candidates.append((source, sentence))
    if not candidates:
        return NO_ANSWER
    asked = words(question)
    vectors = encoder.encode([question[:1500], *(f"{source.title}: {s.text}"[:1500] for source, s in candidates)])
    cosine = vectors[1:] @ vectors[0]
    shared = np.array([overlap(asked, words(f"{source.title} {s.text}")) for source, s in candidates])
    relevance = (1 - _LEXICAL) * cosine + _LEXICAL * shared
    order = [int(index) for index in np.argsort(-relevance)[:_MAX_SENTENCES]]
    best = float(relevance[order[0]])
    if best < _ENOUGH:
        return NO_ANSWER
    chosen = [index for index in order if relevance[index] >= _CLOSE * best]
    return " ".join(f"{candidates[index][1].text} [{candidates[index][0].label}]" for index in chosen)


def digest(encoder: Encoder, text: str, count: int = _MAX_SENTENCES) -> str:
    """Return the `count` most central sentences of `text`, in the order in which they stand."""
    sentences = [sentence.text for sentence in split(text)] or [text.strip() or "."]
    if len(sentences) <= count:
        return " ".join(sentences)
    vectors = encoder.encode([sentence[:1500] for sentence in sentences[:400]])
    centrality = vectors @ vectors.mean(axis=0)
    return " ".join(sentences[index] for index in sorted(np.argsort(-centrality)[:count]))

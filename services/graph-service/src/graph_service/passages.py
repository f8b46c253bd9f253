"""Pages cut into sentences, and sentences packed into chunks that are read at once; all in spans of the page's text."""

from __future__ import annotations

from collections.abc import Iterator

from llm_providers import sentences

Span = tuple[int, int]
LONGEST_SENTENCE = 1000
"""Characters; a longer one is cut between words, as what is quoted should be readable."""


def sentence_spans(text: str) -> Iterator[Span]:
    """Yield the sentences of a text, cut where they are longer than `LONGEST_SENTENCE`."""
    for sentence in sentences.split(text):
        start = sentence.start
        while sentence.end - start > LONGEST_SENTENCE:
            cut = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE)
            cut = cut if cut > 0 else start + LONGEST_SENTENCE
            yield start, cut
            start = cut + (text[cut] == " ")
        if start < sentence.end:
            yield start, sentence.end


def chunk_spans(text: str, most: int) -> Iterator[Span]:
    """Yield stretches of whole sentences of at most `most` characters, or of one sentence."""
    begin = end = 0
    for start, stop in sentence_spans(text):
        if end > begin and stop - begin > most:
            yield begin, end
            begin = end
        begin, end = (start if end == begin else begin), stop
    if end > begin:
        yield begin, end

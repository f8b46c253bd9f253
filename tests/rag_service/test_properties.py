"""What holds for every document, question and answer."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rag_service.chunking import Chunker
from rag_service.grounding import ground
from rag_service.grounding.attribution import attribute
from rag_service.ranking import Passage, blended

BASE = Passage(1, "doc", 0, "Harbour", "h.md", "en", 1, 0, 0, "", "", 0.0)
CHUNKER = Chunker(64, 16)
WORDS = st.sampled_from(
    [
        "ferry",
        "nine",
        "Anna Berg",
        "12",
        "3.5 km",
        "not",
        "on 4 May",
        "PX-200",
        "|",
        "- ",
        ". ",
        "\n",
        "\n\n# Dogs\n",
        "é水",
        "\u2028",
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=120).map(" ".join), st.text(max_size=400))


def passage(text: str, number: int = 0) -> Passage:
    return replace(BASE, chunk_id=number, document_id=f"doc{number}", end=len(text), text=text)


@given(TEXTS)
def test_every_character_of_a_document_is_in_a_chunk(text: str) -> None:
    covered: set[int] = set()
    for piece in CHUNKER.chunk([(1, text)]):
        assert text[piece.start : piece.end] == piece.text
        covered.update(range(piece.start, piece.end))
    lost = "".join(character if at not in covered else "\0" for at, character in enumerate(text))
    # Headings go with every chunk below them.
    left = [line for part in lost.split("\0") for line in part.split("\n") if line.strip()]
    assert all(line.lstrip().startswith("#") for line in left), left


@given(st.text(max_size=200), st.lists(TEXTS, min_size=1, max_size=3))
def test_what_supports_a_sentence_stands_in_its_passage(sentence: str, texts: list[str]) -> None:
    passages = [passage(text, number) for number, text in enumerate(texts)]
    for found in attribute(sentence, passages):
        assert 0 <= found.start <= found.end <= len(passages[found.passage].text)


@given(TEXTS, st.lists(TEXTS, max_size=2))
def test_quotes_are_what_stands_there(answer: str, texts: list[str]) -> None:
    passages = {f"doc{number}": passage(text, number) for number, text in enumerate(texts)}
    grounded = ground(answer, list(passages.values()))
    for citation in grounded.citations:
        assert passages[citation.document_id].text[citation.start : citation.end] == citation.quote


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 20)), min_size=2, max_size=12))
def test_better_in_both_searches_is_never_behind(scores: list[tuple[float, float]]) -> None:
    passages = [replace(BASE, chunk_id=at, cosine=cosine, keyword=words) for at, (cosine, words) in enumerate(scores)]
    order = [each.chunk_id for each in blended(passages, "en")]
    for first, (cosine, words) in enumerate(scores):
        for second, (other_cosine, other_words) in enumerate(scores):
            if cosine > other_cosine and words > other_words:
                assert order.index(first) < order.index(second)

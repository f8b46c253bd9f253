"""The order of what was found."""

from __future__ import annotations

from dataclasses import replace

from rag_service.ranking import Passage, blended, exact_first, is_sure, reranked

BASE = Passage(1, "doc", 0, "Notice", "notice.md", "en", 1, 0, 10, "", "Message H-210.00: exchange fuse T5.", 0.0)


def passages(*scores: tuple[float | None, float | None], language: str = "en") -> list[Passage]:
    return [
        replace(BASE, chunk_id=number, cosine=cosine, keyword=keyword, language=language)
        for number, (cosine, keyword) in enumerate(scores)
    ]


def ids(found: list[Passage]) -> list[int]:
    return [passage.chunk_id for passage in found]


def test_better_in_both_searches_is_never_behind() -> None:
    found = passages((0.9, 9.0), (0.8, 8.0), (0.1, None), (0.85, 8.5))
    assert ids(blended(found, "en")) == [0, 3, 1, 2]


def test_keywords_alone_decide_where_there_are_no_vectors() -> None:
    assert ids(blended(passages((None, 1.0), (None, 3.0)), "en")) == [1, 0]


def test_across_languages_the_vectors_count_for_more() -> None:
    near_or_shared = passages((0.9, 0.0), (0.5, 4.0), (0.1, 1.0), language="en")
    assert ids(blended(near_or_shared, "nl"))[0] == 0
    assert ids(blended(near_or_shared, "en"))[0] == 1


def test_a_reranker_changes_the_head_only() -> None:
    ranked = [replace(BASE, chunk_id=number, score=score) for number, score in enumerate((0.6, 0.55, 0.5, 0.4))]
    assert ids(reranked(ranked, {0: 0.0, 1: 0.9, 2: 1.0})) == [1, 2, 0, 3]
    assert not is_sure(ranked)
    assert is_sure([ranked[0], ranked[3]])


def test_a_code_comes_before_every_score() -> None:
    other = replace(BASE, chunk_id=2, score=1.0, text="Message H-210.01: exchange fuse T6.")
    held = replace(BASE, chunk_id=1, score=0.1)
    assert ids(exact_first("What does message H-210.00 mean?", [other, held])) == [1, 2]
    assert ids(exact_first("What does a message mean?", [other, held])) == [2, 1]


def test_a_quoted_phrase_comes_before_every_score() -> None:
    other = replace(BASE, chunk_id=2, score=1.0, text="Exchange of the fuse.")
    held = replace(BASE, chunk_id=1, score=0.1)
    for question in ('Where does it say "exchange fuse"?', "Wo steht „Exchange fuse“?"):
        assert ids(exact_first(question, [other, held])) == [1, 2]

"""Chunks: nothing lost, nothing out of place."""

from __future__ import annotations

import itertools
import random

import pytest

from llm_providers.tokens import estimate_tokens
from rag_service.chunking import Chunker

PROSE = "The tide turns at noon. Boats that lie aground wait for it, and so do the people in them. "


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_spans_are_where_the_text_stands_and_cover_all_of_it() -> None:
    dice = random.Random(3)
    words = [
        *"tide boat noon water anchor rope\n \n\n . ! # ## - | é 水 \t".split(" "),
        "\n\n",
        "\n# Top\n",
        "\n## Low\n",
    ]
    for _ in range(60):
        text = " ".join(dice.choices(words, k=dice.randint(1, 900)))
        end = 0
        for piece in Chunker(64, 16).chunk([(1, text)]):
            assert text[piece.start : piece.end] == piece.text
            assert estimate_tokens(piece.text) <= 64
            lost = [
                line
                for line in text[end : piece.start].splitlines()
                if line.strip() and not line.lstrip().startswith("#")
            ]
            assert lost == []
            end = max(end, piece.end)
        assert [line for line in text[end:].splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


def test_neighbours_overlap_at_a_sentence() -> None:
    pieces = list(Chunker(64, 16).chunk([(1, PROSE * 12)]))
    assert len(pieces) > 3
    for before, after in itertools.pairwise(pieces):
        assert before.start < after.start <= before.end
        assert after.text.startswith(("The tide", "Boats that"))


def test_headings_make_a_path_that_lasts_over_pages() -> None:
    first = f"# Harbour\n\n{PROSE}\n\n## Winter\n\n{PROSE * 3}\n\n# Town\n\n{PROSE * 3}"
    pieces = list(Chunker(64, 0).chunk([(1, first), (2, f"{PROSE * 3}\n\n## Market\n\n{PROSE * 3}")]))
    paths = list(dict.fromkeys((piece.page, piece.heading) for piece in pieces))
    assert paths == [(1, "Harbour"), (1, "Harbour › Winter"), (1, "Town"), (2, "Town"), (2, "Town › Market")]


def test_a_heading_alone_is_no_chunk() -> None:
    pieces = list(Chunker(64, 0).chunk([(1, f"# One\n\n## Two\n\n{PROSE * 4}")]))
    assert all(piece.text.strip() not in ("# One", "## Two", "# One\n\n## Two") for piece in pieces)
    assert {piece.heading for piece in pieces} == {"One › Two"}


@pytest.mark.parametrize("text", ["", " \n\n ", "#", "x" * 50_000, "word " * 20_000, "水" * 5_000])
def test_odd_texts(text: str) -> None:
    pieces = list(Chunker(288, 32).chunk([(1, text)]))
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)
    assert sum(len(squeezed(piece.text)) for piece in pieces) >= len(squeezed(text)) - 1

"""Chunks: nothing lost, nothing out of place."""

from __future__ import annotations

import itertools
import random

import pytest

from llm_providers.tokens import estimate_tokens
from rag_service.chunking import Chunker, PageOf

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


# --- which lines are headings


def paths(text: str, *, markdown: bool = True) -> list[tuple[str, str]]:
    pieces = Chunker(64, 0).chunk([PageOf(1, text, markdown)])
    return [(piece.heading, piece.text) for piece in pieces]


@pytest.mark.parametrize(
    "code",
    [
        "```bash\n# stop first\n```",
        "~~~\n# stop first\n~~~",
        "````\n```\n# stop first\n````",
        "Run:\n\n    # stop first",
    ],
)
def test_what_is_code_is_no_heading(code: str) -> None:
    found = paths(f"# Backup\n\n{PROSE * 2}\n\n{code}\n\n{PROSE * 4}")
    assert {heading for heading, _ in found} == {"Backup"}
    assert any("# stop first" in text for _, text in found)


def test_front_matter_is_no_heading() -> None:
    found = paths(f"---\ntitle: Rota\n# a comment\n---\n\nRota\n====\n\n{PROSE * 3}\n\nWinter\n---\n\n{PROSE * 3}")
    assert found[0][0] == ""
    assert found[-1][0] == "Rota › Winter"
    assert not any("comment" in heading or "title" in heading for heading, _ in found)


def test_a_rule_below_a_list_or_a_table_underlines_nothing() -> None:
    assert {heading for heading, _ in paths("- one\n- two\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n***\n\nEnd.")} == {
        ""
    }


def test_a_text_file_has_no_headings() -> None:
    text = "# The gateway is 10.44.0.1\n# The printer is at 10.44.0.77"
    assert paths(text, markdown=False) == [("", text)]


def test_headings_without_text_below_are_text() -> None:
    hours = "# Opening hours\n## Monday to Friday: 8:00 to 17:30\n## Saturday: 9:00 to 12:00\n## Sunday: closed"
    assert "Saturday: 9:00" in " ".join(text for _, text in paths(hours))
    mixed = f"# Town\n\n{PROSE * 6}\n\n## Closed on Sunday\n\n# Harbour\n\n{PROSE * 6}\n\n## Open at night"
    words = " ".join(text for _, text in paths(mixed))
    assert "Closed on Sunday" in words
    assert "Open at night" in words


# --- tables


def rows_of(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")]


def test_every_chunk_of_a_table_begins_with_its_header_row() -> None:
    rows = [f"| P{number} | hall {number % 7} | {number * 3} |" for number in range(400)]
    text = "\n".join(["# Stock", "", "| Pump | Place | Hours |", "| --- | --- | --- |", *rows])
    pieces = list(Chunker(64, 16).chunk([(1, text)]))
    assert len(pieces) > 20
    for piece in pieces:
        assert piece.heading == "Stock"
        assert "| Pump | Place | Hours |\n| --- | --- | --- |\n" in piece.text
        assert piece.text.endswith(text[piece.start : piece.end])
        assert estimate_tokens(piece.text) <= 64
    seen = [row for piece in pieces for row in rows_of(text[piece.start : piece.end]) if row[0].startswith("P")]
    assert [row[0] for row in seen] == ["Pump", *(f"P{number}" for number in range(400))]


def test_rows_too_long_are_cut_between_cells_behind_the_names_of_these() -> None:
    names = [f"Column {number}" for number in range(60)]
    cells = [f"value {number}" for number in range(60)]
    text = "\n".join([f"| {' | '.join(names)} |", "|" + " --- |" * 60, f"| {' | '.join(cells)} |"])
    pieces = list(Chunker(64, 0).chunk([(1, text)]))
    for number in range(1, 60):
        piece = next(piece for piece in pieces if f"value {number} " in f"{piece.text} ")
        head, _, row = rows_of(piece.text)
        assert head[row.index(f"value {number}")] == f"Column {number}"
        assert row[0] == "value 0"


@pytest.mark.parametrize("cell", ["word " * 3000, "x" * 20_000, "水" * 3000])
def test_a_cell_of_any_length_is_cut(cell: str) -> None:
    text = f"| Name | Text |\n| --- | --- |\n| A1 | {cell} |\n| A2 | short |"
    pieces = list(Chunker(64, 0).chunk([(1, text)]))
    assert all(estimate_tokens(piece.text) <= 3 * 64 for piece in pieces)
    assert sum(len(squeezed(text[piece.start : piece.end])) for piece in pieces) >= len(squeezed(cell))
    assert all("Name" in piece.text for piece in pieces)


def test_a_small_table_stays_with_its_text() -> None:
    (piece,) = Chunker(64, 0).chunk([(1, "The pumps:\n\n| Pump | Hall |\n| --- | --- |\n| P1 | one |\n\nThat is all.")])
    assert piece.text.startswith("The pumps")
    assert piece.text.endswith("all.")

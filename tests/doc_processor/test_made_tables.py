"""Cells of tables stand in their place, whatever the format; 0.98 of those of thirty made tables must."""

from __future__ import annotations

from pathlib import Path

from doc_processor.parsers import open_as
from doc_processor.parsers.base import ParseLimits, Upload
from doc_processor.sniff import sniff
from harness.made_tables import styled, thirty
from switchyard_benchmarks.documents import cells_in_place, character_error_rate, tables, word_recall

LEAST = 0.98


def read(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    upload = Upload(path, path.name)
    document = open_as(sniff(upload).media_type, upload, ParseLimits())
    try:
        return "\n\n".join(document.page(number).text for number in range(1, document.pages + 1))
    finally:
        document.close()


def test_cells_of_thirty_tables_are_recovered_in_place(tmp_path: Path, record_property) -> None:
    shares = {name: cells_in_place(table, read(tmp_path / name, data)) for name, data, table in thirty()}
    mean = sum(shares.values()) / len(shares)
    record_property("cells_in_place", round(mean, 4))
    assert mean >= LEAST, {name: round(share, 3) for name, share in shares.items() if share < LEAST}


def test_cells_of_pdf_tables_are_recovered_however_they_are_set(tmp_path: Path, record_property) -> None:
    shares = {}
    for seed in range(60):
        data, table = styled(seed)
        shares[seed] = cells_in_place(table, read(tmp_path / "table.pdf", data))
    mean = sum(shares.values()) / len(shares)
    record_property("cells_in_place", round(mean, 4))
    assert mean >= LEAST, {seed: round(share, 3) for seed, share in shares.items() if share < LEAST}


def test_what_is_measured() -> None:
    text = "| a | b |\n| --- | --- |\n| 1 | 2 \\| 3 |\n\nwords\n\n| a | b |\n| --- | --- |\n| 4 | 5 |"
    assert tables(text) == [[["a", "b"], ["1", "2 | 3"], ["4", "5"]]]
    assert cells_in_place([["a", "b"], ["1", "x"], ["4", "5"]], text) == 5 / 6
    assert word_recall("The seal leaks", "the SEAL") == 2 / 3
    assert character_error_rate("abcd", "abxd") == 0.25

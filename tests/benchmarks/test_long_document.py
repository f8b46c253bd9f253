"""The long PDF of the benchmark is one that a PDF library reads."""

from __future__ import annotations

import pypdfium2

from switchyard_benchmarks.long_document import pdf


def test_each_text_is_a_page() -> None:
    document = pypdfium2.PdfDocument(pdf(["Berth 1 (north) is free.", "Berth 2 is let. " * 300]))
    texts = [page.get_textpage().get_text_bounded() for page in document]
    assert "Berth 1 north is free." in texts[0]
    assert texts[1].count("Berth 2") > 100

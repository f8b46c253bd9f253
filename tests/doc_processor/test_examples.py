"""The examples say what their README promises, read through the service."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "page", "engine", "sentences"),
    [
        ("handbook.md", 1, "markdown", ["Purchases of up to 250 euros need nobody's approval."]),
        ("suppliers.txt", 1, "plain-text", ["part number 45-118 and costs 186 euros"]),
        ("price-list.html", 1, "html", ["| Basil | 11 cm | 10 | 12.90 |", "## Terms of delivery"]),
        (
            "energy-review.docx",
            1,
            "docx",
            ["saved 8,100 cubic metres of gas", "pays for itself in 2.3 years", "## Gas"],
        ),
        (
            "climate-manual.pdf",
            2,
            "text-layer",
            ["| North House | 21 °C | 16 °C | 25 °C | 13 °C |", "stays below its alarm"],
        ),
        ("pump-inspection-scan.pdf", 1, "rapidocr", ["The shaft seal leaks 0.4 litres an hour", "is noisy"]),
        (
            "frost-rota-photo.png",
            1,
            "rapidocr",
            ["Week 45: Tobias Linnemark from Monday to Thursday, Ruben Achterveld"],
        ),
        ("meeting-2026-10-14.txt", 1, "plain-text", ["Tobias: I will book the engineer and be there myself."]),
        ("bezoekersregels.md", 1, "markdown", ["Honden mogen niet in de kassen"]),
    ],
)
async def test_each_example_is_read(client, name, page, engine, sentences) -> None:
    reply = await client.post("/v1/process", files={"file": (name, (EXAMPLES / name).read_bytes())})
    assert reply.status_code == 200
    found = reply.json()["pages"][page - 1]
    assert found["engine"] == engine
    for sentence in sentences:
        assert sentence in " ".join(found["text"].split())


def test_all_of_them_are_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 2_000_000

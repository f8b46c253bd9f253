"""Thirty tables with known cells, in the formats in which tables come."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from html import escape

from docx import Document
from openpyxl import Workbook
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

NAMES = "Pump Valve Seal Hall Line Hours Price Region Contact Date Share Code Level Depth Owner Status".split()
WORDS = "north south east west hall main spare old new worn leaking quiet checked blocked Eastfield Brightwell".split()


def rows(seed: int) -> list[list[str]]:
    """Return a header and rows: words, numbers, codes, amounts, some of them empty."""
    dice = random.Random(seed)
    names = dice.sample(NAMES, dice.randint(3, 6))
    kinds = [lambda n=n: f"{n[0]}-{dice.randint(100, 999)}" for n in names]
    for column in range(1, len(names)):
        kinds[column] = dice.choice([
            lambda: " ".join(dice.sample(WORDS, dice.randint(1, 3))), lambda: str(dice.randint(1, 9999)),
            lambda: f"{dice.randint(1, 999)}.{dice.randint(10, 99)}", lambda: f"{dice.randint(1, 99)} %",
            lambda: f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
        ])  # fmt: skip
    body = [[kind() for kind in kinds] for _ in range(dice.randint(4, 70))]
    for row in body:
        if dice.random() < 0.15:
            row[dice.randrange(1, len(row))] = ""
    return [names, *body]


def xlsx(table: list[list[str]]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in table:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def docx(table: list[list[str]]) -> bytes:
    document, out = Document(), io.BytesIO()
    document.add_paragraph("What was counted:")
    made = document.add_table(len(table), len(table[0]))
    for row, cells in zip(made.rows, table, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(out)
    return out.getvalue()


def html(table: list[list[str]]) -> bytes:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table)
    return f"<h1>Counted</h1><table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table><p>The end.</p>".encode()


def pdf(table: list[list[str]], *, ruled: bool) -> bytes:
    out = io.BytesIO()
    made = Table(table)
    if ruled:
        made.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    text = Paragraph(
        "What was counted in the halls of the plant in the spring stands in this table. " * 3,
        getSampleStyleSheet()["Normal"],
    )
    SimpleDocTemplate(out, pagesize=A4, invariant=1).build([text, made])
    return out.getvalue()


def thirty() -> Iterator[tuple[str, bytes, list[list[str]]]]:
    """Yield (file name, file, cells)."""
    makers = {"xlsx": xlsx, "docx": docx, "html": html}
    for seed in range(30):
        table = rows(seed)
        kind = ("xlsx", "docx", "html", "pdf", "pdf")[seed % 5]
        data = makers[kind](table) if kind != "pdf" else pdf(table, ruled=seed % 2 == 0)
        yield f"table-{seed}.{kind}", data, table


def styled(seed: int) -> tuple[bytes, list[list[str]]]:
    """Return a PDF with a table as they are typeset: sizes, paddings, alignments, lines, and cells of several lines."""
    dice = random.Random(seed)
    table = rows(seed)[: dice.choice((4, 6, 12, 40))]
    size, padding, align = (
        dice.choice((7, 9, 10, 12)),
        dice.choice((3, 6, 10)),
        dice.choice(("LEFT", "RIGHT", "CENTER")),
    )
    look: list[tuple[object, ...]] = [
        ("ALIGN", (1, 0), (-1, -1), align), ("FONTSIZE", (0, 0), (-1, -1), size),
        ("LEFTPADDING", (0, 0), (-1, -1), padding), ("RIGHTPADDING", (0, 0), (-1, -1), padding), ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]  # fmt: skip
    look += dice.choice([
        [], [("GRID", (0, 0), (-1, -1), 0.5, colors.black)], [("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.grey)],
        [("BOX", (0, 0), (-1, -1), 1, colors.black)], [("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey)],
    ])  # fmt: skip
    normal = getSampleStyleSheet()["Normal"]
    if dice.random() < 0.2:
        long = "and some more words that make the cell longer"
        table = [table[0], *([row[0], f"{row[1]} {long}", *row[2:]] for row in table[1:])]
        made = Table(
            [[Paragraph(cell, normal) for cell in row] for row in table],
            colWidths=[450 / len(table[0])] * len(table[0]),
        )
    else:
        made = Table(table)
    made.setStyle(TableStyle(look))
    text = Paragraph("What was counted in the halls of the plant in the spring stands in this table. " * 3, normal)
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4, invariant=1).build([text, Spacer(1, 12), made, Spacer(1, 12), text])
    return out.getvalue(), table

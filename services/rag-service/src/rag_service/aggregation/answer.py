"""Calculated answers: the tables of the documents that were found, read whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import select

from rag_service.aggregation.evaluation import Calculation, calculate
from rag_service.aggregation.question import AggregateQuestion, parse
from rag_service.aggregation.table import tables_of
from rag_service.citations import Citation
from rag_service.keyword.analysis import language_of
from rag_service.ranking import Passage
from rag_service.tables import Document, PageText
from service_kit.database import Database
from service_kit.jobs import READY

_ROW = re.compile(r"^[ \t]*\|", re.MULTILINE)
_MOST_DOCUMENTS = 4
_MOST_CITED = 6
"""Pages of a table that are cited."""
_LONGEST_QUOTE = 400


@dataclass(frozen=True, slots=True)
class CalculatedAnswer:
    """A sentence with its labels, and the rows behind it as passages, in the order of the labels."""

    text: str
    said: str
    passages: list[Passage]
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class TableAnswers:
    """Answers what can be calculated from a table."""

    database: Database

    async def answer(self, question: str, passages: Sequence[Passage]) -> CalculatedAnswer | None:
        """Calculate from a table of the documents of `passages`; None where none answers the question, or several might."""
        asked = parse(question)
        if asked is None or not any(_ROW.search(passage.text) for passage in passages):
            return None
        documents = {passage.document_id: passage for passage in reversed(passages)}
        found = dict(list(documents.items())[::-1][:_MOST_DOCUMENTS])
        statement = (
            select(PageText.document_id, PageText.number, PageText.text)
            .join(Document, Document.id == PageText.document_id)
            # A table that is still being read has no sum yet.
            .where(PageText.document_id.in_(found), PageText.text.contains("|"), Document.status == READY)
            .order_by(PageText.document_id, PageText.number)
        )
        async with self.database.reading() as session:
            pages = [(row.document_id, row.number, row.text) for row in await session.execute(statement)]
        return await asyncio.to_thread(_answer, question, asked, found, pages) if pages else None


def _answer(
    question: str, asked: AggregateQuestion, documents: dict[str, Passage], pages: Sequence[tuple[str, int, str]]
) -> CalculatedAnswer | None:
    tables = [
        (table, documents[document].title)
        for document, group in groupby(pages, key=lambda page: page[0])
        for table in tables_of(document, ((number, text) for _, number, text in group))
    ]
    languages = list(dict.fromkeys(passage.language for passage in documents.values()))
    for language in languages:
        of_language = [each for each in tables if documents[each[0].document_id].language == language]
        if (calculation := calculate(asked, of_language, language, language_of(question))) is not None:
            texts = {number: text for document, number, text in pages if document == calculation.table.document_id}
            return _cited(calculation, documents[calculation.table.document_id], texts)
    return None


def _cited(calculation: Calculation, document: Passage, pages: dict[int, str]) -> CalculatedAnswer:
    passages, citations = [], []
    rows = [list(group) for _, group in groupby(calculation.rows, key=lambda row: row.page)][:_MOST_CITED]
    for label, group in enumerate(rows, 1):
        page, start, end = group[0].page, group[0].start, group[-1].end
        text = pages[page][start:end]
        passages.append(
            replace(document, page=page, start=start, end=end, heading=calculation.table.heading, text=text, score=1.0)
        )
        quote = text[:_LONGEST_QUOTE]
        citations.append(
            Citation(
                label=str(label),
                document_id=document.document_id,
                title=document.title,
                page=page,
                start=start,
                end=start + len(quote),
                quote=quote,
                supported=True,
            )
        )
    labels = "".join(f" [{citation.label}]" for citation in citations)
    return CalculatedAnswer(calculation.text + labels, calculation.text, passages, tuple(citations))

"""Summaries of whole documents, by map and reduce: the model notes the points of each part, then sums up the notes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import select

from llm_providers.base import LLMProvider
from llm_providers.completion import complete
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded
from llm_providers.tokens import estimate_tokens
from llm_providers.types import ChatEvent, ChatRequest, Done, Message, ModelInfo, Source, Started, Token
from rag_service.filters import Filter
from rag_service.keyword.analysis import terms
from rag_service.ranking import Passage
from rag_service.tables import Document, PageText
from service_kit.database import Database
from service_kit.jobs import READY
from service_kit.output_guard import marked
from service_kit.statements.facts import ALL_STOP_WORDS
from service_kit.statements.normalisation import normalised

_ASKS = re.compile(
    r"\b(?:summari[sz]e|summary|sum up|overview|key points|main points|tl;?dr|samenvatt\w+|vat\b.{0,60}\bsamen|hoofdpunten|"
    r"zusammenfassung|fass\w*\b.{0,60}\bzusammen|uberblick|resum\w+|resumen)\b"
)
_GENERIC = frozenset(
    """give make write me us please thanks can could short brief long document documents file files report text this that whole
    entire content contents page pages sentence sentences word words bullet bullets points say says geef maak schrijf mij
    graag kort korte document bestand tekst deze dit hele inhoud gib mach schreib mir bitte kurz kurze dokument datei dieses
    diesen ganze ganzen inhalt dame haz breve documento archivo este esta todo donne fais court bref fichier ce cette tout""".split()
)
_MOST_TITLES = 20_000
_MOST_DOCUMENTS = 3
_MOST_PARTS = 16
_AT_ONCE = 4
_PART_TOKENS = 6000
_FEWEST_TOKENS = 600
_NOTES_TOKENS = 300
_DIGEST_PARTS, _DIGEST_TOKENS = 3, 5000
"""For models that only quote: at most so many parts, as alike in length as can be, of each of which a few sentences are quoted."""
_MAPPING_SHARE = 0.6
"""Share of the time left that the parts may take; the rest is for the summary of their notes."""
_CHARACTERS_A_TOKEN = 3
_NO_PROSE = re.compile(r"^[ \t]*(?:\||#).*$", re.MULTILINE)
"""Rows of tables and headings, which are no sentences to quote."""
_MAP_REQUEST = "What are the main points of these pages?"
_MAP = (
    "Note the main points of these pages in at most five short sentences, in the language of the pages. Put the label of the "
    "page behind each, like this: [1]. Use only what the pages say."
)
_REDUCE = (
    "You write summaries for the user from notes on all parts of the user's documents. Use only the notes. Keep the numbers in "
    "brackets that stand behind each claim in the notes, like this: [1]. Answer in the language of the question."
)
_DIRECT = (
    "You write summaries for the user from the user's documents. Use only the sources given. Put the label of the source "
    "behind each claim, like this: [1]. Answer in the language of the question."
)

RULES = (_MAP, _REDUCE, _DIRECT)
"""What models are told for summaries."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many parts of the documents are done with; `late` of them for want of time."""

    done: int
    total: int
    late: int = 0


SummaryEvent: TypeAlias = Progress | ChatEvent


@dataclass(frozen=True, slots=True)
class Material:
    """The pages that a summary is made of, in parts that fit the model; `left_out` says what was too much."""

    parts: list[list[Passage]]
    left_out: tuple[str, ...] = ()

    @property
    def passages(self) -> list[Passage]:
        return [passage for part in self.parts for passage in part]


@dataclass(frozen=True, slots=True)
class Summaries:
    """Sums up the documents that a question names."""

    database: Database
    chat: LLMProvider

    async def material(
        self, collection: str, question: str, info: ModelInfo, max_tokens: int, within: Filter | None = None
    ) -> Material | None:
        """Return the pages of the documents whose summary is asked for; None for any other question.

        A document is named by words of its title or file name, or by "this document" where the collection, or the filter `within` it, has one only.
        """
        wanted = _words_of_name(question)
        if wanted is None:
            return None
        async with self.database.reading() as session:
            ready = [Document.collection == collection, Document.status == READY]
            if within is not None:
                ready.append(Document.id.in_(await within.matching(session, collection)))
            documents = await session.scalars(
                select(Document).where(*ready).order_by(Document.created).limit(_MOST_TITLES)
            )
            named = {document.id: document for document in documents if wanted <= _name(document)}
            if not 0 < len(named) <= _MOST_DOCUMENTS:
                return None
            of_named = select(PageText).where(PageText.document_id.in_(named)).order_by(PageText.number)
            pages = sorted(await session.scalars(of_named), key=lambda page: [*named].index(page.document_id))
        room = (info.context_tokens - max_tokens) // 2
        size, most = min(_PART_TOKENS, room), _MOST_PARTS
        if info.extractive:
            whole = sum(estimate_tokens(page.text) for page in pages)
            size, most = min(_DIGEST_TOKENS, whole // _DIGEST_PARTS + 1), _DIGEST_PARTS + 1
        size = max(_FEWEST_TOKENS, size)
        passages = [passage for page in pages for passage in _passages(named[page.document_id], page, size)]
        return _in_parts(passages, size, most)

    async def events(
        self, material: Material, request: ChatRequest, info: ModelInfo, deadline: Deadline
    ) -> AsyncGenerator[SummaryEvent, None]:
        """Yield how many parts are read, then the summary; `request` holds the question and how to generate.

        Raises what chats raise; `DeadlineExceeded` if not one part was read in time.
        """
        question = request.messages[-1].content
        if len(material.parts) == 1 and not info.extractive:
            messages = _prompt(_DIRECT, question, _sources(material.parts[0], 1))
        else:
            notes: dict[int, str] = {}
            async with aclosing(self._read(material, request, info, deadline, notes)) as progress:
                async for event in progress:
                    yield event
            written = [notes[part] for part in sorted(notes)]
            if info.extractive:
                yield Started(info.backend, info.model, extractive=True)
                yield Token("\n\n".join(" ".join(text.split()) for text in written))
                yield Done("stop")
                return
            sources = tuple(Source("notes", f"Notes on part {part + 1}", notes[part]) for part in sorted(notes))
            messages = _prompt(_REDUCE, question, sources)
        async with aclosing(self.chat.chat(replace(request, messages=messages), deadline)) as events:
            async for answer in events:
                yield answer

    async def _read(
        self, material: Material, request: ChatRequest, info: ModelInfo, deadline: Deadline, notes: dict[int, str]
    ) -> AsyncGenerator[Progress, None]:
        """Note the points of each part in `notes`, several parts at once; yield how many are done."""
        soon = Deadline.after(deadline.remaining * _MAPPING_SHARE)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def note(number: int, first: int, part: Sequence[Passage]) -> None:
            text = "\n\n".join(_NO_PROSE.sub("", passage.text) for passage in part)
            messages = (Message("user", text),) if info.extractive else _prompt(_MAP, "", _sources(part, first))
            asked = replace(request, messages=messages, max_tokens=_NOTES_TOKENS, temperature=0.0)
            async with gate:
                notes[number] = (await complete(self.chat, asked, soon)).text

        firsts = [1 + sum(map(len, material.parts[:number])) for number in range(len(material.parts))]
        tasks = [
            asyncio.create_task(note(number, first, part))
            for number, (first, part) in enumerate(zip(firsts, material.parts, strict=True))
        ]
        yield Progress(0, len(tasks))
        late: list[DeadlineExceeded] = []
        try:
            for done, task in enumerate(asyncio.as_completed(tasks), 1):
                try:
                    await task
                except DeadlineExceeded as error:
                    late.append(error)
                yield Progress(done, len(tasks), len(late))
        finally:
            for task in tasks:
                task.cancel()
        if late and not notes:
            raise late[0]


def _words_of_name(question: str) -> set[str] | None:
    """Return the words by which a question names the document to sum up; None if it asks for no summary."""
    text = normalised(question)
    if _ASKS.search(text) is None:
        return None
    words = (word for word in re.findall(r"\w[\w'-]*", _ASKS.sub(" ", text)))
    named = " ".join(word for word in words if word not in _GENERIC and word not in ALL_STOP_WORDS)
    return set(terms(named, ""))


def _name(document: Document) -> set[str]:
    return set(terms(f"{document.title} {document.filename}", ""))


def _passages(document: Document, page: PageText, tokens: int) -> Iterator[Passage]:
    """Yield a page, cut at its paragraphs where it is longer than a part may be."""
    start = 0
    while start < len(page.text):
        end = min(len(page.text), start + tokens * _CHARACTERS_A_TOKEN)
        if end < len(page.text):
            end = next((cut for mark in ("\n\n", "\n", " ") if (cut := page.text.rfind(mark, start + 1, end)) > 0), end)
        text = page.text[start:end]
        if text.strip():
            yield Passage(
                chunk_id=0,
                document_id=document.id,
                ordinal=0,
                title=document.title,
                filename=document.filename,
                language=document.language or "",
                page=page.number,
                start=start,
                end=end,
                heading="",
                text=text,
                score=1.0,
            )
        start = end


def _in_parts(passages: Sequence[Passage], tokens: int, most: int) -> Material | None:
    parts: list[list[Passage]] = []
    left = 0
    for place, passage in enumerate(passages):
        size = estimate_tokens(passage.text)
        if not parts or size > left:
            if len(parts) == most:
                first = f"page {passage.page} of {passage.title!r}"
                return Material(
                    parts, (f"only the first {place} of {len(passages)} stretches of text were read, up to {first}",)
                )
            parts.append([])
            left = tokens
        parts[-1].append(passage)
        left -= size
    return Material(parts) if parts else None


def _sources(part: Sequence[Passage], first: int) -> tuple[Source, ...]:
    return tuple(
        Source(str(number), f"{passage.title}, page {passage.page}", passage.text)
        for number, passage in enumerate(part, first)
    )


def _prompt(rules: str, question: str, sources: tuple[Source, ...]) -> tuple[Message, ...]:
    return (Message("system", marked(rules)), Message("user", question or _MAP_REQUEST, sources=sources))

"""Pages as people see them: a picture from the doc-processor, and the places of the words of the page's text on it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import undefer

from rag_service.layout import PlacedWord, SeenWord, placed
from rag_service.tables import Document, PageText
from service_kit.database import Database
from service_kit.errors import NotFound
from service_kit.originals import Originals
from service_kit.processor import DocProcessor, PageView

_KEPT = 64
"""Pages whose picture is kept in memory, at about 0.3 MB each."""


@dataclass(frozen=True, slots=True)
class PageLayout:
    width: int
    height: int
    words: list[PlacedWord]


class PageViews:
    """Pictures and layouts of pages; the newest are kept in memory, so that a picture and its boxes cost one rendering."""

    def __init__(self, database: Database, originals: Originals, processor: DocProcessor) -> None:
        self._database, self._originals, self._processor = database, originals, processor
        self._views: OrderedDict[tuple[str, int], asyncio.Task[PageView]] = OrderedDict()

    async def picture(self, document: Document, number: int) -> bytes:
        """Return the page as JPEG; raises `NotFound`, and `ProcessingRefused` where its format has no pictures."""
        await self._page(document, number)
        return (await self._view(document, number)).picture

    async def layout(self, document: Document, number: int) -> PageLayout:
        """Return where the words of the page's text stand on its picture; raises as `picture` does."""
        page = await self._page(document, number)
        view = await self._view(document, number)
        seen = [SeenWord(word["text"], tuple(word["box"]), word["confidence"]) for word in page.words or view.words]
        return PageLayout(view.width, view.height, await asyncio.to_thread(placed, page.text, seen))

    async def _page(self, document: Document, number: int) -> PageText:
        statement = select(PageText).where(PageText.document_id == document.id, PageText.number == number)
        async with self._database.reading() as session:
            page = await session.scalar(statement.options(undefer(PageText.words)))
        if page is None:
            raise NotFound(f"this document has no page {number}, or it was not read yet", field="number")
        return page

    async def _view(self, document: Document, number: int) -> PageView:
        key = document.sha256, number
        if (task := self._views.get(key)) is None:
            path = self._originals.path(document.sha256)
            viewing = self._processor.view(path, document.filename, number, f"view of {document.collection}")
            task = self._views[key] = asyncio.create_task(viewing)
            while len(self._views) > _KEPT:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        try:
            # A caller who goes away must not take it from the others.
            return await asyncio.shield(task)
        except Exception:
            self._views.pop(key, None)
            raise

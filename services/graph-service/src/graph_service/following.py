"""Graphs follow their collections: what was added is read, and what was deleted is forgotten, without anybody asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from graph_service import storage
from graph_service.graphs import Graphs
from graph_service.rag import RagService
from graph_service.tables import Graph
from service_kit.database import Database
from service_kit.jobs import READY

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Following:
    """Compares each graph with its collection every so many seconds.

    A graph whose newest build has failed or was cancelled is not built again by itself.
    """

    database: Database
    rag: RagService
    graphs: Graphs
    seconds: float

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.seconds)
            try:
                for collection in await self._ready():
                    if await self._has_changed(collection):
                        await self.graphs.begin(collection, again=False)
            except Exception as error:  # the next round may go better, and there must be one
                log.warning("graphs not compared", error=type(error).__name__)

    async def _ready(self) -> list[str]:
        async with self.database.reading() as session:
            return list(await session.scalars(select(Graph.collection).where(Graph.status == READY)))

    async def _has_changed(self, collection: str) -> bool:
        there = {document.id: document.content async for document in self.rag.documents(collection)}
        async with self.database.reading() as session:
            return there != await storage.contents(session, collection)

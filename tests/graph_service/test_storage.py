"""Statements that are run for each chunk, and for each question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event, insert

from graph_service import storage
from graph_service.extraction import Extraction, Passage
from graph_service.extraction.base import Found
from graph_service.extraction.gazetteer import Gazetteer
from graph_service.recognition import recognised
from graph_service.tables import Chunk, Document, Graph
from service_kit.database import Database


async def test_names_are_looked_up_by_their_keys_and_not_all_of_them_read(tmp_path: Path) -> None:
    database = Database.beside(tmp_path, "graph", None)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM names" in statement and "names.collection" in statement:
            asked.append((statement, parameters))

    try:
        await database.migrate("graph_service")
        sentence = "Anna Vries met Bo Karlsen."
        mentions = (Found(0, 10, "person", "anna vries"), Found(15, 25, "person", "bo karlsen"))
        passage = Passage(1, "doc", "t", 1, 0, sentence, Gazetteer())
        async with database.writing() as session:
            await session.execute(insert(Graph), [{"collection": "made", "job_id": "job", "revision": 1}])
            document = {"id": "doc", "collection": "made", "title": "t", "language": "en", "content": "c"}
            await session.execute(insert(Document), [document])
            await session.execute(insert(Chunk), [{"id": 1, "document_id": "doc", "page": 1, "start": 0, "end": 26}])
            event.listen(database.engine.sync_engine, "before_cursor_execute", note)
            await storage.store(session, "made", passage, Extraction(mentions, (), "patterns"))
        async with database.reading() as session:
            found = await recognised(session, "made", "Who is Bo Karlsen?", ("person",), 8)
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
            assert [entity.name for entity in found.entities] == ["Bo Karlsen"]
            assert len(asked) == 2
            connection = await session.connection()
            for statement, parameters in asked:
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                assert "(collection=? AND type=? AND key=?)" in " ".join(row.detail for row in plan)
    finally:
        await database.aclose()

"""The notes-service on PostgreSQL, in the same database as a rag-service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from harness.rag import KEY, ScriptedProcessor
from harness.serving import serving
from notes_service.app import create
from notes_service.settings import NotesSettings
from service_kit.database import Database

pytestmark = pytest.mark.stores

MEETING = """Weekly meeting of the boat club, 3 March

Anna: The new boats arrived on Monday and lie at berth twelve.
Ben: We have decided to raise the rent to nine euros an hour.
Chloe: Ben should order six life jackets before 12 March.
"""


@asynccontextmanager
async def notes_service(data_dir: Path, database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(ScriptedProcessor().app()) as processor:
        settings = NotesSettings(
            data_dir=data_dir, doc_processor_url=processor, admin_api_key=KEY, notes_database_url=database_url
        )
        async with (
            serving(create(settings)) as url,
            httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as http,
        ):
            yield http


async def test_made_found_edited_by_one_of_two_and_deleted(tmp_path: Path, embedded: None, database_url: str) -> None:
    beside = Database.beside(tmp_path, "rag", database_url)
    await beside.migrate("rag_service")
    await beside.aclose()
    async with notes_service(tmp_path, database_url) as http:
        answer = await http.post("/v1/notes", json={"text": MEETING, "kind": "meeting", "title": "cl\x00ub"})
        assert answer.status_code == 201, answer.text
        note = answer.json()
        assert note["status"] == "ready"
        assert "nine euros" in note["content"]["decisions"][0]["text"]
        file = {"file": ("lecture.txt", b"The lecture was about glaciers. Ice flows under its own\x00 weight, slowly.")}
        assert (await http.post("/v1/notes", files=file, data={"kind": "lecture"})).json()["status"] == "ready"

        assert len((await http.get("/v1/notes")).json()["items"]) == 2
        found = (await http.get("/v1/notes", params={"q": "life jackets"})).json()["items"]
        assert [one["id"] for one in found] == [note["id"]]
        assert (await http.get("/v1/notes", params={"q": "100%_"})).json()["items"] == []

        edit = {"title": "Edited", "content": note["content"], "revision": note["revision"]}
        edits = await asyncio.gather(*(http.put(f"/v1/notes/{note['id']}", json=edit) for _ in range(5)))
        assert sorted(edited.status_code for edited in edits) == [200, 409, 409, 409, 409]

        assert (await http.delete(f"/v1/notes/{note['id']}")).status_code in (200, 204)
    async with notes_service(tmp_path, database_url) as http:
        (left,) = (await http.get("/v1/notes")).json()["items"]
        assert left["kind"] == "lecture"
    assert _tables(database_url) == {"notes", "notes_jobs", "rag"}


def _tables(database_url: str) -> set[Any]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
    return {row[0] for row in rows}

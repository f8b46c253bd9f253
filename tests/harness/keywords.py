"""What a keyword index must do, whichever database holds it: one suite over SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import insert

from rag_service import keyword
from rag_service.keyword import ChunkWords
from rag_service.tables import Chunk, Collection, Document
from service_kit.database import Database
from service_kit.ids import new_id


@dataclass
class Library:
    """Documents of one chunk each, and the search among them."""

    database: Database
    ids: dict[int, str] = field(default_factory=dict)

    @property
    def index(self) -> keyword.KeywordIndex:
        return keyword.for_dialect(self.database.dialect)

    async def add(self, text: str, language: str = "en", collection: str = "default", title: str = "Notice") -> str:
        """Store a ready document; return its id."""
        document = new_id("doc")
        common = {
            "filename": "a",
            "media_type": "text/plain",
            "size": 1,
            "status": "ready",
            "searchable": True,
            "job_id": "j",
        }
        async with self.database.writing() as session:
            if await session.get(Collection, collection) is None:
                session.add(Collection(name=collection))
                await session.flush()
            session.add(
                Document(id=document, collection=collection, sha256=document, title=title, language=language, **common)
            )
            await session.flush()
            row = {
                "document_id": document,
                "ordinal": 0,
                "page": 1,
                "start": 0,
                "end": len(text),
                "heading": "",
                "text": text,
            }
            chunk = await session.scalar(insert(Chunk).values(embedded=False, **row).returning(Chunk.id))
            assert chunk is not None
            await self.index.add(session, collection, language, [ChunkWords(chunk, title, "", text)])
        self.ids[chunk] = document
        return document

    async def search(
        self, question: str, collection: str = "default", limit: int = 10, documents: list[str] | None = None
    ) -> list[str]:
        """Return the ids of documents, best first."""
        async with self.database.reading() as session:
            found = await self.index.search(session, collection, question, limit, documents)
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
        return [self.ids[chunk] for chunk, _ in found]


class KeywordContract:
    """Subclasses give the fixture `library`."""

    async def test_words_are_stemmed_in_the_language_of_the_document(self, library: Library) -> None:
        english = await library.add("The harbour has forty berths.", "en")
        german = await library.add("Die Häfen wurden 1874 gebaut.", "de")
        dutch = await library.add("De bruggen worden iedere maandag gecontroleerd.", "nl")
        assert await library.search("berth") == [english]
        assert await library.search("Wann wurde der Hafen gebaut?") == [german]
        assert await library.search("de controle van een brug") == [dutch]

    async def test_a_search_for_a_code_finds_it_in_every_spelling(self, library: Library) -> None:
        found = await library.add("Ersatzteil PX-200を確認してください。", "ja")
        await library.add("Ersatzteil PX-201 und 200 Schrauben.", "de")
        assert (await library.search("PX-200"))[0] == (await library.search("px200"))[0] == found

    async def test_scripts_without_spaces_are_searched_by_pairs(self, library: Library) -> None:
        japanese = await library.add("会議は毎週月曜日の十時に始まります。", "ja")
        chinese = await library.add("港口建于1874年。", "zh")
        thai = await library.add("ท่าเรือสร้างขึ้นในปี 1874", "th")
        assert (await library.search("会議はいつ始まりますか"))[0] == japanese
        assert (await library.search("港口什么时候建的"))[0] == chinese
        assert (await library.search("ท่าเรือ"))[0] == thai

    async def test_marks_and_width_make_no_difference(self, library: Library) -> None:
        found = await library.add("Le café de la gare est fermé.", "fr")
        assert await library.search("CAFE") == await library.search("ｃａｆé") == [found]

    async def test_a_search_keeps_to_the_documents_that_are_named(self, library: Library) -> None:
        berths = [await library.add(f"Berth {number} is let by the week.", "en") for number in range(30)]
        assert set(await library.search("a berth by the week", limit=2, documents=berths[20:22])) == {*berths[20:22]}
        assert await library.search("a berth by the week", documents=[]) == []

    async def test_rare_words_count_for_more(self, library: Library) -> None:
        for number in range(8):
            await library.add(f"The pump of hall {number} is checked on Monday.")
        found = await library.add("The valve is checked.")
        assert (await library.search("When is the pump valve checked?"))[0] == found

    async def test_a_collection_has_its_own_statistics(self, library: Library) -> None:
        pump, valve = await library.add("pump pressure"), await library.add("valve noise")
        before = await library.search("pump valve noise")
        for _ in range(20):
            await library.add("valve noise everywhere", collection="other")
        assert await library.search("pump valve noise") == before == [valve, pump]
        assert not set(await library.search("valve", "other")) & {pump, valve}

    async def test_what_is_removed_is_not_found(self, library: Library) -> None:
        gone, kept = await library.add("the red boat"), await library.add("the blue boat")
        async with library.database.writing() as session:
            await library.index.remove(session, "default", gone)
        assert await library.search("boat") == [kept]
        async with library.database.writing() as session:
            await library.index.drop(session, "default")
        assert await library.search("boat") == []

    async def test_hostile_questions_find_nothing_and_break_nothing(self, library: Library) -> None:
        await library.add("plain words")
        for question in (
            "'",
            '"',
            "a' | 'b",
            "NEAR(x",
            "\\",
            "words:*",
            "()",
            "-",
            "'; DROP TABLE chunks; --",
            "x" * 5000,
        ):
            assert await library.search(question) in ([], list(library.ids.values()))
        assert len(await library.search("plain")) == 1

    async def test_nothing_is_found_where_nothing_is(self, library: Library) -> None:
        assert await library.search("boat", "empty") == []

"""A folder that is mirrored by a process of its own into a service on a socket."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.rag import Stack

pytestmark = pytest.mark.live


class Inbox:
    """The process, which may be killed and started again, and what it has said."""

    def __init__(self, stack: Stack, folder: Path, log: Path) -> None:
        self.stack, self.folder, self.log = stack, folder, log
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        given = {
            "INBOX_DIR": str(self.folder),
            "RAG_SERVICE_URL": self.stack.url,
            "DATA_DIR": str(self.stack.data_dir),
            "INBOX_SECONDS": "2",
        }
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "service_kit.folders"],
                env={**os.environ, **given, **settings},
                stdout=output,
                stderr=output,
            )

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(how)
            await asyncio.to_thread(self.child.wait, 60)

    async def listed(self, collection: str = "default") -> list[tuple[str, str]]:
        """Return the name in the folder and the status of each document; no two of a name may be ready."""
        answer = await self.stack.http.get("/v1/documents", params={"collection": collection, "limit": 200})
        found = sorted((item["external_id"].removeprefix("inbox:"), item["status"]) for item in answer.json()["items"])
        ready = [name for name, status in found if status == "ready"]
        assert len(ready) == len(set(ready))
        return found

    async def becomes(self, wanted: set[str], collection: str = "default") -> None:
        """Wait until exactly the documents `wanted` are there, and ready."""
        await until(lambda: self._is(wanted, collection), self.log)

    async def _is(self, wanted: set[str], collection: str) -> bool:
        return await self.listed(collection) == sorted((name, "ready") for name in wanted)

    async def says(self, words: str) -> None:
        async def has() -> bool:
            return words in self.log.read_text()

        await until(has, self.log)


async def until(holds: Callable[[], Awaitable[bool]], log: Path) -> None:
    try:
        async with asyncio.timeout(120):
            while not await holds():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(log.read_text()[-4000:]) from None


@asynccontextmanager
async def mirrored(stack: Stack, tmp_path: Path) -> AsyncIterator[Inbox]:
    folder = tmp_path / "inbox"
    folder.mkdir()
    inbox = Inbox(stack, folder, tmp_path / "inbox.log")
    try:
        yield inbox
    finally:
        await inbox.stop()


@pytest.fixture
async def inbox(stack: Stack, tmp_path: Path) -> AsyncIterator[Inbox]:
    async with mirrored(stack, tmp_path) as found:
        yield found


def write(folder: Path, *names: str, text: str = "The berth of {name} is free.") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name))


async def found(stack: Stack, question: str) -> str:
    items = (await stack.http.post("/v1/search", json={"question": question})).json()["items"]
    return "\n".join(item["text"] for item in items)


async def test_added_changed_renamed_and_deleted_files_are_so_in_the_collections(stack: Stack, inbox: Inbox) -> None:
    write(inbox.folder, "a.txt", "b.txt", "c.txt", "harbour/d.txt", "harbour/deep/e.txt")
    inbox.start()
    await inbox.becomes({"a.txt", "b.txt", "c.txt"})
    await inbox.becomes({"harbour/d.txt", "harbour/deep/e.txt"}, "harbour")
    read = len(stack.processor.first_pages)
    write(inbox.folder, "a.txt", text="The berth is let to a trawler.")
    (inbox.folder / "b.txt").rename(inbox.folder / "renamed.txt")
    (inbox.folder / "c.txt").unlink()
    await inbox.becomes({"a.txt", "renamed.txt"})
    assert len(stack.processor.first_pages) == read + 1, "only what has changed is read"
    text = await found(stack, "Which berth is let to a trawler?")
    assert "trawler" in text
    assert "The berth of a.txt" not in text
    (inbox.folder / "harbour" / "d.txt").rename(inbox.folder / "d.txt")
    await inbox.becomes({"a.txt", "renamed.txt", "d.txt"})
    await inbox.becomes({"harbour/deep/e.txt"}, "harbour")


async def test_killed_at_any_time_it_goes_on_and_doubles_nothing(stack: Stack, inbox: Inbox) -> None:
    names = {f"{number // 10}/file-{number}.txt" for number in range(40)}
    write(inbox.folder, *names)
    for sent in (5, 20):
        inbox.start(INBOX_COLLECTION="default")
        await until(lambda least=sent: _at_least(inbox, least), inbox.log)  # type: ignore[misc]
        await inbox.stop(signal.SIGKILL)
    inbox.start(INBOX_COLLECTION="default")
    await inbox.becomes(names)
    assert len(stack.processor.first_pages) == len(names)


async def _at_least(inbox: Inbox, count: int) -> bool:
    return len(await inbox.listed()) >= count


async def test_a_disk_that_is_away_deletes_nothing(stack: Stack, inbox: Inbox) -> None:
    names = {f"file-{number}.txt" for number in range(12)}
    write(inbox.folder, *names)
    inbox.start()
    await inbox.becomes(names)
    away = inbox.folder.with_name("away")
    inbox.folder.rename(away)
    await inbox.says("nothing is changed until that is better")
    inbox.folder.mkdir()
    await inbox.says("nothing deleted: 12 of 12 documents have no file")
    assert {name for name, _ in await inbox.listed()} == names
    inbox.folder.rmdir()
    away.rename(inbox.folder)
    (inbox.folder / "file-3.txt").unlink()
    await inbox.becomes(names - {"file-3.txt"})
    for number in range(4, 12):
        (inbox.folder / f"file-{number}.txt").unlink()
    await inbox.becomes({"file-0.txt", "file-1.txt", "file-2.txt"})


async def test_a_broken_file_is_read_three_times_and_listed_until_it_is_whole(stack: Stack, inbox: Inbox) -> None:
    stack.processor.refuse = {"status": 422, "type": "urn:x:damaged", "detail": "the file is damaged"}
    write(inbox.folder, "broken.txt")
    inbox.start()
    await inbox.says("no document: broken.txt: the file is damaged")
    assert len(stack.processor.first_pages) == 3
    await inbox.stop(signal.SIGKILL)
    inbox.start()
    await inbox.says("no document: broken.txt: the file is damaged")
    assert len(stack.processor.first_pages) == 3, "a restart does not begin to count again"
    stack.processor.refuse = None
    write(inbox.folder, "broken.txt", text="Now it is whole.")
    await inbox.becomes({"broken.txt"})


async def test_a_file_that_is_too_large_is_named_and_holds_up_no_other(stack: Stack, inbox: Inbox) -> None:
    write(inbox.folder, "large.txt", text="x" * 6_000_000)
    write(inbox.folder, "small.txt")
    inbox.start()
    await inbox.becomes({"small.txt"})
    await inbox.says("not taken: large.txt")


async def test_a_service_that_is_away_is_waited_for(stack: Stack, inbox: Inbox) -> None:
    write(inbox.folder, "a.txt")
    inbox.start(RAG_SERVICE_URL="http://127.0.0.1:9")
    await inbox.says("nothing is changed until that is better")
    assert inbox.child is not None
    assert inbox.child.poll() is None

from __future__ import annotations

import asyncio

from doc_processor.workers.slots import FairSlots


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Work:
    """Tasks that hold a slot until they are told to end; `begun` lists their names in order."""

    def __init__(self, size: int) -> None:
        self.slots = FairSlots(size)
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, owner: str, name: str) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(owner, name))

    async def _run(self, owner: str, name: str) -> None:
        async with self.slots.taken(owner):
            self.begun.append(name)
            await self.ends[name].wait()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await settled()


async def test_fifty_files_of_one_owner_do_not_keep_another_waiting() -> None:
    work = Work(2)
    for number in range(50):
        work.begin("a", f"a{number}")
    await settled()
    work.begin("b", "b0")
    await settled()
    assert work.begun == ["a0", "a1", "b0"]


async def test_owners_take_turns() -> None:
    work = Work(1)
    for name in ("a0", "a1", "a2", "b0", "b1", "c0"):
        work.begin(name[0], name)
        await settled()
    for ended in range(6):
        await work.end(work.begun[ended])
    assert sorted(work.begun[:2]) == ["a0", "b0"]
    assert work.begun[-1] == "a2"


async def test_no_slot_is_lost_when_waiting_or_running_is_cancelled() -> None:
    work = Work(1)
    for name in ("a0", "a1", "a2"):
        work.begin("a", name)
    await settled()
    work.tasks["a1"].cancel()
    work.tasks["a0"].cancel()
    await asyncio.gather(work.tasks["a0"], work.tasks["a1"], return_exceptions=True)
    await settled()
    assert work.begun == ["a0", "a2"]
    await work.end("a2")
    work.begin("a", "a3")
    await settled()
    assert work.begun[-1] == "a3"

"""Many uploads at once: each is stored, or told to come again; a busy database is no full disk."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx2

from harness.rag import KEY, Stack

AT_ONCE = 100


async def test_a_hundred_uploads_at_once_are_all_taken(stack: Stack) -> None:
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    head = {"Authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=stack.url, headers=head, timeout=120, limits=limits) as http:

        async def upload(number: int) -> httpx2.Response:
            name, text = f"berth-{number}.txt", f"Berth {number} is let to boat number {number * 7}."
            return await http.post("/v1/documents", files=[("files", (name, text.encode()))])

        answers = await asyncio.gather(*[upload(number) for number in range(AT_ONCE)])
    assert Counter(answer.status_code for answer in answers) == {202: AT_ONCE}
    assert len({answer.json()["items"][0]["document"]["id"] for answer in answers}) == AT_ONCE

"""A rag-service in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from harness.ports import free_port
from harness.rag import KEY


class Replica:
    """A rag-service in a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rag_service"],
                env={**os.environ, **environment, "PORT": str(self.port)},
                stdout=output,
                stderr=output,
            )
        head = {"Authorization": f"Bearer {KEY}"}
        self.http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=head, timeout=30)

    async def ready(self) -> None:
        async with asyncio.timeout(60):
            while True:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    if (await self.http.get("/readyz")).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    async def job(self, identity: str) -> dict[str, Any]:
        return dict((await self.http.get(f"/v1/jobs/{identity}")).json())

    async def ended(self, identity: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (job := await self.job(identity))["status"] in ("queued", "running"):
                await asyncio.sleep(0.1)
        return job

    async def add(self, text: str, title: str) -> str:
        answer = await self.http.post("/v1/documents", json={"text": text, "title": title})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["items"][0]["job_id"])

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        await self.http.aclose()
        if self.process.poll() is None:
            self.process.send_signal(how)
            await asyncio.to_thread(self.process.wait, 30)

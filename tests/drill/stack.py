"""The stack of the drill, and changes of its policy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from drill.processes import Process, engine, service
from engines.real_vllm import VLLMServer

DOCUMENT = "The ferry leaves at nine from the old pier. Tickets are sold on board. " * 5
WORDS = 60


@dataclass
class Stack:
    """rag-service replicas on one policy file, with Ollama scripted and vLLM real or scripted."""

    folder: Path
    ollama: Process
    vllm: Process | VLLMServer
    replicas: list[Process]
    others: dict[str, Process]

    @property
    def rag(self) -> Process:
        return self.replicas[0]

    @property
    def urls(self) -> list[str]:
        return [replica.url for replica in self.replicas]

    async def policy(self, why: str, *, gates: dict[str, Any] | None = None, **text: Any) -> float:
        """Set the text role to exactly this, and return the moment it was accepted."""
        role = {"fallbacks": [], "candidate": None, "canary_percent": 0, "shadow_percent": 0, **text}
        shown = await self.view()
        body = {"revision": shown["revision"], "why": why, "policy": {"roles": {"text": role}, "gates": gates}}
        await asyncio.to_thread(self.rag.call, "PUT", "/v1/providers", json=body)
        return monotonic()

    async def view(self, replica: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = await asyncio.to_thread(self.replicas[replica].call, "GET", "/v1/providers")
        return found

    async def script(self, which: Process, fault: dict[str, Any] | None, path: str = "", every: int = 1) -> None:
        body = {"fault": fault, "path": path, "every": every} if fault else {}
        await asyncio.to_thread(which.call, "POST", "/_script", json=body)

    async def requests(self, which: Process, path: str) -> list[dict[str, Any]]:
        """Return the requests of users to an engine, without probes."""
        found = await asyncio.to_thread(which.call, "GET", "/_requests")
        return [
            answer
            for answer in found
            if answer["path"].endswith(path)
            and (answer["body"].get("options") or answer["body"]).get("num_predict") != 1
            and answer["body"].get("max_tokens") != 1
        ]

    async def add(self, text: str, title: str) -> str:
        given = {"text": text, "title": title}
        added = await asyncio.to_thread(self.rag.call, "POST", "/v1/documents", json=given)
        return str(added["items"][0]["job_id"])

    async def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = await asyncio.to_thread(self.rag.call, "GET", f"/v1/jobs/{job}")
        return found

    async def ready(self, job: str, seconds: float = 60) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while (now := await self.job(job))["status"] in ("queued", "running"):
                await asyncio.sleep(0.1)
        return now


@contextmanager
def stack(folder: Path, vllm: VLLMServer | None, replicas: int = 1) -> Iterator[Stack]:
    """Start the stack; without `vllm` that engine is scripted too. It has one document."""
    with ExitStack() as started:
        ollama = started.enter_context(engine("ollama", folder, "--words", str(WORDS), "--delay", "0.01"))
        scripted = None
        if vllm is None:
            arguments = ("--words", str(WORDS), "--delay", "0.01")
            scripted = started.enter_context(engine("vllm", folder, *arguments))
        processor = started.enter_context(service("doc_processor", folder, "doc-processor", LLM_PROVIDER="embedded"))
        environment = {
            "LLM_PROVIDER": "ollama",
            "OLLAMA_URL": ollama.url,
            "VLLM_URL": vllm.url if vllm is not None else f"{scripted.url}/v1" if scripted else "",
            "VLLM_MODEL": "llama3.2",
            "USE_VISION_ANALYSIS": "false",
            "POLICY_FILE": str(folder / "policy" / "policy.json"),
            "DOC_PROCESSOR_URL": processor.url,
        }
        # They speak with one another by the key of the installation, as services on one volume do.
        for name in [*(f"rag-{number}" for number in range(1, replicas + 1)), "notes"]:
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "auth").symlink_to(folder / "doc-processor" / "auth")
        found = [
            started.enter_context(service("rag_service", folder, f"rag-{number}", **environment))
            for number in range(1, replicas + 1)
        ]
        others = {}
        if vllm is None:
            others["notes"] = started.enter_context(service("notes_service", folder, "notes", **environment))
        made = Stack(folder, ollama, vllm or scripted, found, others)  # type: ignore[arg-type]
        for replica in found:
            job = replica.call("POST", "/v1/documents", json={"text": DOCUMENT, "title": "Ferry"})["items"][0]["job_id"]
            while replica.call("GET", f"/v1/jobs/{job}")["status"] in ("queued", "running"):
                sleep(0.1)
        yield made

"""What is shown of one vLLM exchanged for another: beside it, by an engine added while running, and in place."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from time import sleep

from drill.pauses import Pauses
from drill.processes import KEY, Process, engine
from drill.stack import DOCUMENT, WORDS
from drill.table import Line
from drill.users import Answer, concurrent_users, count_failures
from engines.real_vllm import VLLMServer
from harness.ports import free_port

USERS = 32
_GATES = ("max_p95_seconds=300", "max_first_token_p95_seconds=300", "max_unusable_rate=1", "max_quality_loss=1")
"""Two cores, two servers and a model that writes nonsense: only errors count here."""


class AllInOne(Process):
    """The stack in one process, as `make up-embedded` starts it, with engines."""

    async def cli(self, *words: str) -> tuple[int, str]:
        """Run `switchyard` on it; return the exit status and what it printed."""
        environment = {**os.environ, "SWITCHYARD_URL": self.url, "SWITCHYARD_API_KEY": KEY, "COLUMNS": "160"}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "switchyard", *words),
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await child.communicate()
        text = output.decode(errors="replace")
        with (self.folder / "cli.log").open("a") as log:
            log.write(f"$ switchyard {' '.join(words)}\n{text}\n")
        return child.returncode or 0, text

    async def need(self, *words: str) -> str:
        """Run `switchyard`; raises RuntimeError with its output if it fails."""
        status, text = await self.cli(*words)
        if status:
            raise RuntimeError(f"switchyard {' '.join(words)}: {status}\n{text[-2000:]}")
        return text


@asynccontextmanager
async def all_in_one(folder: Path, vllm: VLLMServer) -> AsyncIterator[AllInOne]:
    """Ollama scripted, `vllm` real and stable for text, one document to be asked about."""
    with engine("ollama", folder, "--words", str(WORDS), "--delay", "0.01") as ollama:
        port = free_port()
        command = ["-m", "switchyard", "up", "--embedded", "--port", str(port), "--data-dir", str(folder / "data")]
        environment = {
            "LLM_PROVIDER": "ollama",
            "OLLAMA_URL": ollama.url,
            "VLLM_URL": vllm.url,
            "VLLM_MODEL": vllm.served_as,
            "USE_VISION_ANALYSIS": "false",
            "ADMIN_API_KEY": KEY,
            "LOG_LEVEL": "warning",
            # What is measured is the switch, not how long a random model talks.
            "MAX_ANSWER_TOKENS": str(WORDS),
        }
        with AllInOne("all-in-one", command, port, "/readyz", folder, environment) as stack:
            job = stack.call("POST", "/rag/v1/documents", json={"text": DOCUMENT, "title": "Ferry"})["items"][0][
                "job_id"
            ]
            while stack.call("GET", f"/rag/v1/jobs/{job}")["status"] in ("queued", "running"):
                sleep(0.1)
            await stack.need("providers", "use", "vllm")
            await stack.need("providers", "gates", *(word for gate in _GATES for word in ("--set", gate)))
            yield stack


async def migrating(stack: AllInOne, successor: VLLMServer) -> Line:
    """From vLLM to another vLLM with another model, which is added to the table while 32 users read."""
    with Pauses() as pauses:
        async with concurrent_users([f"{stack.url}/rag"], USERS) as users:
            await users.until(lambda: len(users.reading) > USERS // 2)
            role = f"text={successor.served_as}"
            await stack.need("engines", "add", "vllm-next", "--engine-url", successor.url, "--role", role)
            stages = ("--stages", "50,100", "--hold", "3", "--min-requests", "20")
            shadow = ("--shadow-percent", "20", "--min-shadow", "5", "--min-similarity", "-1")
            await stack.need("migrate", "--from", "vllm", "--to", "vllm-next", *stages, *shadow, "--fresh", "--yes")
    return _line(
        f"vLLM to another vLLM, added while running, by `switchyard migrate` under {USERS} streams",
        users.answers,
        {"vllm", "vllm-next"},
        None,
        pauses,
    )


async def upgrading(stack: AllInOne, server: VLLMServer, successor: VLLMServer) -> Line:
    """A vLLM stopped and another started at its address, as on a machine that holds only one of them."""
    await stack.need("providers", "use", "vllm")
    await stack.need("providers", "chain", "--fallback", "ollama")
    marker = stack.folder / "replace"
    replace = f"{sys.executable} -c \"import os,time; open('{marker}','w').close(); [time.sleep(.1) for _ in iter(lambda: os.path.exists('{marker}'), False)]\""

    async def operator() -> None:
        while not marker.exists():
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.stop)
        successor.port = server.port
        await asyncio.to_thread(successor.start)
        marker.unlink()

    with Pauses() as pauses:
        async with concurrent_users([f"{stack.url}/rag"], USERS) as users:
            await users.until(lambda: len(users.reading) > USERS // 2)
            operating = asyncio.create_task(operator())
            stages = ("--stages", "50,100", "--hold", "3", "--min-requests", "20")
            command = ("--command", replace, *stages, "--yes")
            text = await stack.need("engines", "upgrade", "vllm", "--stand-in", "ollama", *command)
            await operating
    after = stack.call("GET", "/rag/v1/providers")["policy"]["roles"]["text"]
    steps = next((line for line in text.splitlines() if line.startswith("vllm: upgraded")), "no report")
    line = _line(
        f"vLLM upgraded in place by `switchyard engines upgrade` under {USERS} streams",
        users.answers,
        {"vllm", "ollama"},
        1.0,
        pauses,
    )
    held = line.held and after["stable"] == "vllm" and "upgraded" in steps
    return Line(line.what, line.must, f"{line.measured}; {steps}", held)


def _line(what: str, answers: list[Answer], backends: set[str], longest: float | None, pauses: Pauses) -> Line:
    failed, corrupt = count_failures(answers)
    silences = (
        later - earlier - pauses.within(earlier, later)
        for answer in answers
        for (earlier, _), (later, _) in pairwise(answer.pieces)
    )
    silence = max(silences, default=0.0)
    served = {answer.backend for answer in answers if not answer.failed}
    must = "0 failed, 0 torn" + (f", longest silence of a stream ≤ {longest:g} s" if longest else "")
    return Line(
        what,
        f"{must}; served by {' and '.join(sorted(backends))}",
        f"{failed} failed, {corrupt} torn of {len(answers)}, longest silence {silence:.2f} s{pauses}, by {', '.join(sorted(served))}",
        failed == 0 and corrupt == 0 and backends <= served and (longest is None or silence <= longest),
    )

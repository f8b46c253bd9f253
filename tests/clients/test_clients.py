"""The OpenAI endpoint, for clients as they are: OpenAI's own package for JavaScript, and LlamaIndex."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.environment import Clients, install
from harness.rag import KEY, ScriptedProcessor, Stack, ready, running

pytestmark = pytest.mark.live
HERE = Path(__file__).parent
RULES = """# Harbour rules

Visitors moor at the north pontoon and pay twelve euros a night.

The harbour master is called on channel nine, day and night.
"""


@pytest.fixture(scope="module")
def clients() -> Clients:
    return install()


@pytest.fixture
async def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    monkeypatch.setenv("LLM_PROVIDER", "embedded")
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await ready(made)
        await made.add(RULES, "Harbour rules")
        yield made


async def output(*command: str | Path) -> dict[str, Any]:
    """Return the JSON that a program prints in its last line; an AssertionError with what it printed if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed
    return dict(json.loads(printed.splitlines()[-1]))


async def test_openais_package_for_javascript(clients: Clients, stack: Stack, tmp_path: Path) -> None:
    # Node looks for packages beside the program.
    program = clients.modules / "with_openai.mjs"
    program.write_text((HERE / "with_openai.mjs").read_text())
    found = await output(clients.node, program, f"{stack.url}/v1", KEY)
    assert {"default", "switchyard/direct"} <= set(found["models"])
    assert found["model"] == "default"
    assert found["answer"].startswith("Visitors moor at the north pontoon and pay twelve euros a night.")
    assert (found["streamed"], found["finish"]) == (found["answer"], "stop")
    assert found["citation"].startswith("Visitors moor")
    assert found["usage"]["completion_tokens"] > 0
    assert found["dimensions"] == [384, 384]
    assert found["refused"] == [
        ["unknown", "NotFoundError", 404, "string"],
        ["key", "AuthenticationError", 401, "string"],
    ]


async def test_llama_index(clients: Clients, stack: Stack) -> None:
    found = await output(clients.python, HERE / "with_llama_index.py", f"{stack.url}/v1", KEY)
    assert found["answer"].startswith("Visitors moor at the north pontoon and pay twelve euros a night.")
    assert found["streamed"] == found["answer"]
    assert found["completed"].startswith("Visitors moor")
    assert found["dimensions"] == [384, 384]

"""The vLLM stack in Docker, with a real vLLM on CPU: first start, death in mid-stream, engines changed under load."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.images.build_vllm import build
from compose.load import until
from compose.monitoring import check_vllm_names
from compose.stack import PROJECT, VLLM, VLLM_MODELS, Stack
from compose.use import QUESTIONS, add, ask_streamed, complete
from drill.users import concurrent_users, count_failures
from llm_providers.percentile import percentile

pytestmark = pytest.mark.compose
UNANSWERABLE = ("What does a ticket to Mars cost?", "Who is the president of Brazil?")
ANSWERABLE = ("Who is the grower in charge of the Long House?", "How many days of paid leave does everyone have?")
STREAMS = 16
TOKENS = 300


@pytest.fixture(scope="module")
def stack(folder: Path, gateway_base: None) -> Iterator[Stack]:
    build("switchyard-ci/vllm-base")
    made = Stack(folder, VLLM, VLLM_MODELS)
    made.down("-v")
    assert not (folder / ".env").exists()
    print(f"\nvLLM stack: green {made.up():.0f} s after `docker compose up -d --build --wait`")
    yield made
    made.down("-v")


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    made = stack.key()
    with stack.client(made) as client:
        add(client, "/rag", "handbook.md")
    return made


def headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_vllm_makes_text_and_embeddings_and_ollama_reads_pictures(stack: Stack, key: str) -> None:
    with stack.client(key) as client:
        shown = client.get("/rag/health").json()["providers"]
        assert {role: said["backend"] for role, said in shown.items()} == {
            "text": "vllm",
            "embeddings": "vllm",
            "vision": "ollama",
        }
        assert {shown[role]["state"] for role in ("text", "embeddings")} == {"ready"}
        _, done = ask_streamed(client, "/rag", QUESTIONS[0])
        assert done["provider"] == "vllm"
        note = client.post("/notes/v1/notes", json={"text": "Anna: I will send the report by Friday."})
        assert note.status_code in (201, 202), note.text
        page = (stack.folder / "examples" / "frost-rota-photo.png").read_bytes()
        assert client.post("/doc-processor/v1/process", files={"file": ("frost.png", page)}).status_code == 200
    text, _ = complete(f"{stack.url}/rag/v1", key, QUESTIONS[1])
    assert text
    with stack.client(key, stack.own_url("rag-service")) as client:
        assert ask_streamed(client, "", QUESTIONS[2])[1]["provider"] == "vllm"


def test_status_tells_what_serves_and_what_waits(stack: Stack, key: str) -> None:
    said = stack.make("status")
    for part in ("vllm", "ollama", "healthy", "/models/text", "embeddings"):
        assert part in said, said


def test_what_is_watched_of_vllm_is_what_it_exports(stack: Stack) -> None:
    ask = "import urllib.request as r; print(r.urlopen('http://vllm:8000/metrics').read().decode())"
    check_vllm_names(stack.inside("rag-service", ask))


def test_vllm_cannot_be_reached(stack: Stack) -> None:
    address = stack.address("vllm")
    for port in (8000, 8001):
        code = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
        for network in (f"{PROJECT}_edge", f"{PROJECT}_download", "bridge"):
            assert stack.run_on(network, code).returncode != 0, (network, port)
        stack.compose("exec", "-T", "rag-service", "python", "-c", code)
    assert not any((stack.inspect("vllm")["NetworkSettings"]["Ports"] or {}).values())


def test_vllm_has_no_rights_and_no_token(stack: Stack) -> None:
    assert stack.compose("exec", "-T", "vllm", "id", "-u").strip() == "2000"
    assert "CapEff:\t0000000000000000" in stack.compose("exec", "-T", "vllm", "cat", "/proc/1/status")
    assert stack.inspect("vllm")["HostConfig"]["ReadonlyRootfs"]
    mounted = [mount["Destination"] for mount in stack.inspect("vllm")["Mounts"]]
    assert "/run/secrets/HF_TOKEN" not in mounted


async def test_killed_while_answers_stream_none_is_lost_and_it_comes_back(stack: Stack, key: str) -> None:
    """Ollama goes on in the middle of the sentence; once vLLM is healthy again it serves again."""
    async with concurrent_users([f"{stack.url}/rag"], STREAMS, TOKENS, headers(key)) as users:
        await users.until(lambda: len(users.reading) == STREAMS)
        before = await asyncio.to_thread(stack.kill, "vllm")
        users.stop()
    failed, corrupt = count_failures(users.answers)
    took_over = sum(bool(answer.failovers) for answer in users.answers)
    seconds = await asyncio.to_thread(stack.await_healthy, "vllm", since=before, seconds=300)
    print(f"vllm: {took_over} of {len(users.answers)} answers went on with Ollama; healthy after {seconds:.0f} s")
    assert (failed, corrupt) == (0, 0), [answer.error for answer in users.answers]
    assert took_over > 0, "no answer was under way when vLLM died"
    with stack.client(key) as client:
        until(lambda: ask_streamed(client, "/rag", QUESTIONS[0])[1]["provider"] == "vllm")


async def test_engines_are_changed_under_load_and_nothing_restarts(stack: Stack, key: str) -> None:
    services = stack.services()
    started = {service: stack.inspect(service)["State"]["StartedAt"] for service in services}
    assert len(started) >= 7
    async with concurrent_users([f"{stack.url}/rag"], 8, 40, headers(key)) as users:
        for target, backend in (("use-ollama", "ollama"), ("use-vllm", "vllm")) * 2:
            answered = len(users.answers)
            said = await asyncio.to_thread(stack.make, target, f"SWITCHYARD_URL={stack.url}")
            print(said.strip())
            await users.until(
                lambda answered=answered, backend=backend: any(  # type: ignore[misc]
                    answer.backend == backend for answer in users.answers[answered + 8 :]
                )
            )
    failed, corrupt = count_failures(users.answers)
    served = {name: sum(answer.backend == name for answer in users.answers) for name in ("ollama", "vllm")}
    times = [answer.pieces[0][0] - answer.started for answer in users.answers if answer.pieces]
    print(
        f"{len(users.answers)} answers, {served}; first token p50/p95 {percentile(times, 50):.2f}/{percentile(times, 95):.2f} s"
    )
    assert (failed, corrupt) == (0, 0), [answer.error for answer in users.answers if answer.error]
    assert min(served.values()) >= 8
    assert started == {service: stack.inspect(service)["State"]["StartedAt"] for service in services}


def test_with_another_model_what_no_document_says_is_no_answer(stack: Stack, key: str) -> None:
    """SmolLM2 in place of the random weights, as an operator changes the model: 135 M parameters, which know little."""
    changed = Stack(stack.folder, VLLM, {**VLLM_MODELS, "VLLM_MODEL": "/models/smollm2"})
    print(f"\nSmolLM2: green {changed.up():.0f} s after `docker compose up -d --build --wait`")
    with changed.client(key) as client:
        assert client.get("/rag/health").json()["providers"]["text"]["model"] == "/models/smollm2"
        for question in UNANSWERABLE:
            answer = client.post("/rag/v1/query", json={"question": question}).json()
            assert (answer["provider"], answer["answered"], answer["citations"]) == ("vllm", False, []), answer
        answers = [client.post("/rag/v1/query", json={"question": question}).json() for question in ANSWERABLE]
        asked = {"role": "user", "content": "What is the capital of France?"}
        body = {"model": "switchyard/direct", "messages": [asked], "temperature": 0, "max_tokens": 30}
        direct = client.post("/rag/v1/chat/completions", json=body).json()
    assert "Paris" in direct["choices"][0]["message"]["content"]
    for answer in answers:
        assert answer["provider"] == "vllm"
        assert all(sentence["citations"] for sentence in answer["sentences"] if sentence["supported"])
        assert answer["answered"] is any(sentence["supported"] for sentence in answer["sentences"])


def test_stopped_with_docker_it_ends_by_itself(stack: Stack, key: str) -> None:
    """`down` sends SIGTERM; what serves ends in time and is not killed."""
    stack.compose("stop", "vllm", "rag-service", "gateway", seconds=150)
    for service in ("vllm", "rag-service", "gateway"):
        state = stack.inspect(service)["State"]
        assert state["ExitCode"] in (0, 143), json.dumps(state)[:500]

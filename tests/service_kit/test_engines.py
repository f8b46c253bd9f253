"""`/v1/engines`: the table by HTTP, changed while answers run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engines import OpenAIEngine
from harness.rag import ScriptedProcessor, Stack, running
from service_kit.keys import KeyStore, Scope

ANSWER = "The ferry leaves at nine [1]."


@pytest.fixture
def first() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(answer=lambda _: ANSWER, context=8192) as engine:
        yield engine


@pytest.fixture
def second() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(answer=lambda _: ANSWER, context=8192, models=["bigger"]) as engine:
        yield engine


@pytest.fixture
async def stack(tmp_path: Path, first: OpenAIEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    monkeypatch.setenv("VLLM_URL", first.api)
    monkeypatch.setenv("VLLM_MODEL", "llama3.2")
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await made.add("The ferry leaves at nine from the old pier. Tickets are sold on board.")
        yield made


def described(engine: OpenAIEngine, model: str = "bigger", **more: Any) -> dict[str, Any]:
    return {"kind": "openai", "url": engine.url, "roles": {"text": {"model": model}}, **more}


async def put(stack: Stack, engines: dict[str, Any], revision: int | None = None) -> httpx2.Response:
    now = (await stack.http.get("/v1/engines")).json()["revision"] if revision is None else revision
    body = {"revision": now, "why": "a test", "engines": engines}
    return await stack.http.put("/v1/engines", json=body)


async def use(stack: Stack, name: str) -> None:
    now = (await stack.http.get("/v1/providers")).json()["revision"]
    policy = {"roles": {"text": {"stable": name, "fallbacks": []}}}
    answer = await stack.http.put("/v1/providers", json={"revision": now, "why": "use", "policy": policy})
    assert answer.status_code == 200, answer.text


async def provider_of(stack: Stack) -> tuple[str, str]:
    answer = await stack.query("When does the ferry leave?")
    return answer["provider"], answer["model"]


async def test_an_engine_is_added_used_and_removed_while_everything_runs(
    stack: Stack, first: OpenAIEngine, second: OpenAIEngine
) -> None:
    table = (await stack.http.get("/v1/engines")).json()
    assert table["engines"]["vllm"]["source"] == "configured"
    answer = await put(stack, {"next": described(second)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["engines"]["next"]["source"] == "added"
    await use(stack, "next")
    assert await provider_of(stack) == ("next", "bigger")

    refused = await put(stack, {})
    assert refused.status_code == 422
    assert refused.json()["field"] == "engines.next"
    assert "text" in refused.json()["detail"]

    await use(stack, "vllm")
    assert (await put(stack, {})).status_code == 200
    assert "next" not in (await stack.http.get("/v1/engines")).json()["engines"]
    assert await provider_of(stack) == ("vllm", "llama3.2")


async def test_one_revision_and_one_audit_for_both(stack: Stack, second: OpenAIEngine) -> None:
    before = (await stack.http.get("/v1/providers")).json()["revision"]
    assert (await put(stack, {"next": described(second)})).json()["revision"] == before + 1
    assert (await put(stack, {}, revision=before)).status_code == 409
    row = (await stack.http.get("/v1/providers/audit")).json()["items"][0]
    assert row["after"]["engines"]["next"]["roles"]["text"]["model"] == "bigger"
    assert row["before"]["engines"] == {}


async def test_a_changed_entry_takes_effect_for_new_requests(
    stack: Stack, first: OpenAIEngine, second: OpenAIEngine
) -> None:
    await put(stack, {"next": described(first, "llama3.2")})
    await use(stack, "next")
    assert await provider_of(stack) == ("next", "llama3.2")
    first.delay = 0.05
    running_answer = asyncio.create_task(stack.query("When does the ferry leave?"))
    while not any(not seen.finished.is_set() for seen in first.requests("/chat/completions")):
        await asyncio.sleep(0.01)
    await put(stack, {"next": described(second)})
    assert await provider_of(stack) == ("next", "bigger")
    assert (await running_answer)["model"] == "llama3.2"


async def test_what_cannot_be_an_engine_is_refused(
    stack: Stack, second: OpenAIEngine, subtests: pytest.Subtests
) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"url": "http://169.254.169.254"}, "link-local"),
        ({"url": "ftp://host"}, "http"),
        ({"url": "http://user:password@host"}, "user name or password"),
        ({"roles": {"text": {"model": "m", "api_key": "secret"}}}, "key file"),
        ({"api_key_file": "../../etc/passwd"}, "api_key_file"),
        ({"kind": "gpt"}, "kind"),
        ({"roles": {}}, "roles"),
        ({"colour": "red"}, "colour"),
    ]
    for engine, words in refused:
        with subtests.test(words):
            answer = await put(stack, {"next": {**described(second), **engine}})
            assert answer.status_code == 422, answer.text
            assert words in answer.text
            assert "password@" not in answer.text
            assert "secret" not in answer.text


async def test_a_configured_engine_is_not_the_apis_to_change(stack: Stack, second: OpenAIEngine) -> None:
    answer = await put(stack, {"vllm": described(second)})
    assert answer.status_code == 422
    assert "environment" in answer.json()["detail"]


async def test_addresses_are_for_admins(stack: Stack) -> None:
    key = KeyStore(stack.data_dir / "auth").create("anna", Scope.USER)
    for method, path in (("GET", "/v1/engines"), ("PUT", "/v1/engines"), ("POST", "/v1/engines/check")):
        answer = await stack.http.request(method, path, headers={"Authorization": f"Bearer {key}"}, json={})
        assert answer.status_code in (403, 422), answer.text
        assert answer.status_code == 403 or "url" not in answer.text


async def test_check_lets_an_engine_work_before_it_is_used(stack: Stack, second: OpenAIEngine) -> None:
    await put(stack, {"next": described(second), "gone": {**described(second), "url": "http://127.0.0.1:9"}})
    result = (await stack.http.post("/v1/engines/check", json={"name": "next"})).json()
    assert result["roles"]["text"]["ok"] is True
    assert result["roles"]["text"]["about"]["context_tokens"] == 8192
    result = (await stack.http.post("/v1/engines/check", json={"name": "gone"})).json()
    assert result["roles"]["text"]["ok"] is False
    assert (await stack.http.post("/v1/engines/check", json={"name": "nobody"})).status_code == 404


async def test_a_key_comes_from_a_file_beside_the_policy_only(stack: Stack, second: OpenAIEngine) -> None:
    second.api_key = "k-next"
    keys = stack.data_dir / "policy" / "engine-keys"
    keys.mkdir()
    (keys / "next.key").write_text("k-next\n")
    await put(stack, {"next": described(second, api_key_file="next.key")})
    result = (await stack.http.post("/v1/engines/check", json={"name": "next"})).json()
    assert result["roles"]["text"]["ok"] is True
    await put(stack, {"other": described(second, api_key_file="/etc/hostname")})
    result = (await stack.http.post("/v1/engines/check", json={"name": "other"})).json()
    assert "is not in" in result["roles"]["text"]["detail"]


async def test_a_role_that_only_a_hand_edited_file_had_is_no_end_of_watching(
    stack: Stack, first: OpenAIEngine, second: OpenAIEngine
) -> None:
    """The watcher used to die of it, and a corrected file was never seen."""
    file = stack.data_dir / "policy" / "policy.json"
    good = file.read_text()
    wrong = good.replace('"revision": 1', '"revision": 7').replace(
        '"text": {', '"vision": {"stable": "vllm"}, "text": {'
    )
    file.write_text(wrong)
    await revision(stack, 7)
    file.write_text(good.replace('"revision": 1', '"revision": 8'))
    await revision(stack, 8)
    assert (await put(stack, {"next": described(second)})).status_code == 200


async def revision(stack: Stack, number: int) -> None:
    async with asyncio.timeout(5):
        while (await stack.http.get("/v1/providers")).json()["revision"] != number:
            await asyncio.sleep(0.05)

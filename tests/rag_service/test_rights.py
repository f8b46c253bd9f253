"""What a user's key may not do: what others began, and what no collection holds."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from service_kit.keys import Grant
from service_kit.limits import KeyLimits
from service_kit.state import service_state

DIRECT = "switchyard/direct"
ASKED = {"model": DIRECT, "messages": [{"role": "user", "content": "Who are you?"}]}


def head(stack: Any, *grants: Grant, **limits: int) -> dict[str, str]:
    made = service_state(stack.app).keys.create("user", "user", ["default"], grants, KeyLimits(**limits))
    return {"Authorization": f"Bearer {made}"}


async def test_direct_chat_and_engines_need_a_grant_each(stack: Any) -> None:
    async def allowed(headers: dict[str, str]) -> list[bool]:
        async with httpx2.AsyncClient(base_url=stack.url, headers=headers, timeout=30) as http:
            listed = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
            answers = [
                (await http.post("/v1/chat/completions", json=ASKED)).status_code,
                (await http.get(f"/v1/models/{DIRECT}")).status_code,
                (await http.get("/v1/providers")).status_code,
                (await http.get("/metrics")).status_code,
            ]
        assert (DIRECT in listed) == (answers[1] == 200)
        return [status != 403 for status in answers]

    assert await allowed(head(stack)) == [False, False, False, False]
    assert await allowed(head(stack, Grant.DIRECT)) == [True, True, False, False]
    assert await allowed(head(stack, Grant.PROVIDERS)) == [False, False, True, True]
    assert await allowed(dict(stack.http.headers)) == [True] * 4


async def test_a_user_does_not_cancel_the_reindex_of_an_admin(stack: Any) -> None:
    await stack.add("The ferry leaves at nine from the old pier.")
    (job,) = (await stack.http.post("/v1/reindex", json={"collection": "default"})).json()["job_ids"]
    refused = await stack.http.delete(f"/v1/jobs/{job}", headers=head(stack))
    assert refused.status_code == 403
    assert (await stack.ended(job))["status"] == "ready"


@pytest.mark.parametrize("path", ["/v1/query", "/v1/chat/completions"])
async def test_answers_are_within_the_limits_of_the_key(stack: Any, path: str) -> None:
    await stack.add("The ferry leaves at nine from the old pier.")
    question = "When does the ferry leave?"
    asked: dict[str, Any] = (
        {"question": question}
        if path == "/v1/query"
        else {"model": "default", "stream": True, "messages": [{"role": "user", "content": question}]}
    )
    headers = head(stack, tokens_per_day=1, generations=1)
    first = await stack.http.post(path, json=asked, headers=headers)
    assert first.status_code == 200
    spent = await stack.http.post(path, json=asked, headers=headers)
    assert spent.status_code == 429
    assert int(spent.headers["retry-after"]) > 80_000

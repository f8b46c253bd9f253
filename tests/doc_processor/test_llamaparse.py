from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import structlog

from doc_processor.app import create
from doc_processor.page_budget import PageBudget
from doc_processor.settings import DocProcessorSettings
from engines.llamacloud import LlamaCloud, hosted_page

Client = httpx2.AsyncClient
Started = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def cloud() -> AsyncGenerator[LlamaCloud, None]:
    async with LlamaCloud().serving() as running:
        yield running


@pytest.fixture
def start(settings: DocProcessorSettings, serve, cloud: LlamaCloud) -> Started:
    """Serve a doc-processor that has the cloud's key and consent, unless the settings say otherwise."""

    @asynccontextmanager
    async def started(**changes: object) -> AsyncGenerator[Client, None]:
        given = {"llama_cloud_api_key": cloud.key, "llamaparse_consent": True, "llama_cloud_base_url": cloud.url}
        known = settings.model_dump() | given | changes
        async with (
            serve(create(DocProcessorSettings(**known))) as url,
            httpx2.AsyncClient(base_url=url, timeout=60) as http,
        ):
            yield http

    return started


def upload(data: bytes, name: str = "The harbour's secret plan.pdf") -> dict[str, object]:
    return {"file": (name, data, "application/octet-stream")}


async def read(http: Client, data: bytes, query: str = "", name: str = "The harbour's secret plan.pdf") -> dict:
    reply = await http.post(f"/v1/process{query}", files=upload(data, name))
    assert reply.status_code == 200, reply.text
    return reply.json()


def codes(answer: dict) -> list[str]:
    return [warning.partition(":")[0] for warning in answer["document"]["warnings"]]


async def test_it_reads_first_and_the_document_says_so(start, cloud, samples) -> None:
    data = samples.pdf("first", "second", "third")
    async with start() as http:
        answer = await read(http, data)
    assert [page["engine"] for page in answer["pages"]] == ["llamaparse"] * 3
    assert answer["pages"][1]["text"] == "# Hosted\n\nPage 2 as LlamaParse read it."
    assert answer["document"]["warnings"] == ["sent-to-llamaparse: the document was sent to 127.0.0.1, which read it"]
    (sent,) = cloud.uploads
    assert sent["bytes"] == data
    assert sent["name"] == "document.pdf"  # its own name stays here
    assert (sent["tier"], sent["disable_cache"]) == ("cost_effective", True)
    assert cloud.calls[-1] == "DELETE /api/v2/parse/pjb-1"


@pytest.mark.parametrize(
    "without", [{"llamaparse_consent": False}, {"llama_cloud_api_key": None}], ids=["no consent", "no key"]
)
async def test_without_key_or_consent_nothing_leaves(start, cloud, samples, without) -> None:
    async with start(**without) as http:
        answer = await read(http, samples.pdf("only here"))
        health = (await http.get("/health")).json()
    assert answer["pages"][0]["engine"] == "text-layer"
    assert answer["document"]["warnings"] == []
    assert health["llamaparse"] is None
    assert cloud.calls == []


async def test_health_says_that_documents_leave(start, samples) -> None:
    async with start(llamaparse_pages_a_day=9) as http:
        await read(http, samples.pdf("first", "second"))
        health = (await http.get("/health")).json()
    assert health["llamaparse"] == {
        "host": "127.0.0.1",
        "tier": "cost_effective",
        "documents_leave_this_machine": True,
        "pages_today": 2,
        "pages_a_day": 9,
    }


async def test_formats_that_say_what_they_hold_stay_here(start, cloud, samples) -> None:
    async with start() as http:
        answer = await read(http, samples.xlsx(Berths=[["Berth"], ["A1"]]), name="berths.xlsx")
    assert answer["pages"][0]["engine"] == "xlsx"
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"refuse": 401}, "it does not accept the key"),
        ({"refuse": 402}, "the account has no credits left"),
        ({"refuse": 429}, "it has too many requests of this account"),
        ({"refuse": 500}, "it answered 500"),
        ({"refuse_answers": 9}, "it answered 503"),
        ({"cut_answers": 9}, "the connection failed"),
        ({"job_status": "FAILED"}, "its job failed"),
        ({"job_status": "CANCELLED"}, "its job failed"),
        ({"pages": [hosted_page(1)]}, "it returned 1 pages, not the 2 that were asked for"),
        ({"pages": [hosted_page(n) for n in (1, 2, 3)]}, "it returned 3 pages, not the 2 that were asked for"),
        ({"pages": [hosted_page(2), hosted_page(3)]}, "it returned 2 pages, not the 2 that were asked for"),
        ({"pages": [hosted_page(1), {**hosted_page(2), "page_number": "two"}]}, "its answer is not a list of pages"),
        ({"raw_answer": "[1, 2"}, "its answer cannot be read"),
        ({"raw_answer": '{"job": 7}'}, "its job failed"),
        ({"raw_answer": '{"job": {"status": "COMPLETED"}}'}, "it returned 0 pages, not the 2 that were asked for"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_every_failure_is_read_here_and_said(start, cloud, samples, passage, fault, why) -> None:
    for name, value in fault.items():
        setattr(cloud, name, value)
    async with start() as http:
        answer = await read(http, samples.pdf(passage, passage))
    assert [page["engine"] for page in answer["pages"]] == ["text-layer"] * 2
    assert "harbour master" in answer["pages"][1]["text"]
    (warning,) = answer["document"]["warnings"]
    assert warning == f"llamaparse-failed: the document was sent to 127.0.0.1, and then read here: {why}"


async def test_no_server_at_all_is_read_here(start, samples) -> None:
    async with start(llama_cloud_base_url="http://127.0.0.1:9") as http:
        answer = await read(http, samples.pdf("only here"))
    assert answer["pages"][0]["engine"] == "text-layer"
    assert codes(answer) == ["llamaparse-failed"]


@pytest.mark.parametrize("fault", ["stuck", "hang_upload"])
async def test_a_stuck_job_has_our_deadline_and_is_removed(start, cloud, samples, fault) -> None:
    setattr(cloud, fault, True)
    async with start(llamaparse_timeout_seconds=1) as http:
        answer = await read(http, samples.pdf("only here"))
    assert answer["pages"][0]["text"] == "only here"
    assert "it was not done within 1 s" in answer["document"]["warnings"][0]
    if fault == "stuck":
        assert cloud.calls[-2:] == ["POST /api/v2/parse/pjb-1/cancel", "DELETE /api/v2/parse/pjb-1"]


async def test_a_job_that_was_paid_for_is_not_lost_by_one_bad_answer(start, cloud, samples) -> None:
    cloud.refuse_answers, cloud.cut_answers = 1, 1
    async with start() as http:
        answer = await read(http, samples.pdf("first"))
    assert answer["pages"][0]["engine"] == "llamaparse"


async def test_pages_without_text_are_read_here(start, cloud, samples) -> None:
    failed = {"page_number": 2, "success": False, "error": "model overloaded"}
    cloud.pages = [hosted_page(1), failed, hosted_page(3, " \n")]
    async with start() as http:
        answer = await read(http, samples.pdf("first", "second", "third"))
    assert [page["engine"] for page in answer["pages"]] == ["llamaparse", "text-layer", "text-layer"]
    assert [page["text"] for page in answer["pages"][1:]] == ["second", "third"]
    assert answer["document"]["warnings"][1] == "llamaparse-failed: 2 pages of which it gave no text were read here"


async def test_what_comes_back_is_cleaned(start, cloud, samples) -> None:
    cloud.pages = [hosted_page(1, "seen\x00\x07 \u200b\U000e0041text")]
    async with start() as http:
        answer = await read(http, samples.pdf("first"))
    assert answer["pages"][0]["text"] == "seen text"


async def test_reading_goes_on_where_it_stopped_and_pays_for_the_rest_only(start, cloud, samples) -> None:
    async with start() as http:
        answer = await read(http, samples.pdf("first", "second", "third"), "?first_page=3")
        health = (await http.get("/health")).json()
    assert [page["number"] for page in answer["pages"]] == [3]
    assert cloud.uploads[0]["page_ranges"] == {"target_pages": "3-3"}
    assert health["llamaparse"]["pages_today"] == 1


async def test_pages_a_day_bound_the_cost_over_restarts(start, cloud, samples) -> None:
    three = samples.pdf("first", "second", "third")
    async with start(llamaparse_pages_a_day=4) as http:
        assert codes(await read(http, three)) == ["sent-to-llamaparse"]
    async with start(llamaparse_pages_a_day=4) as http:
        answer = await read(http, three)
        assert codes(await read(http, samples.pdf("first"))) == ["sent-to-llamaparse"]
    assert [page["engine"] for page in answer["pages"]] == ["text-layer"] * 3
    assert answer["document"]["warnings"] == [
        "llamaparse-skipped: the document was read here: LLAMAPARSE_PAGES_A_DAY (4) leaves no room for it today"
    ]
    assert len(cloud.uploads) == 2


async def test_what_was_refused_is_not_counted(start, cloud, samples) -> None:
    cloud.refuse = 429
    async with start() as http:
        await read(http, samples.pdf("first"))
        health = (await http.get("/health")).json()
    assert health["llamaparse"]["pages_today"] == 0


async def test_a_reader_who_goes_away_ends_the_job(start, cloud, samples) -> None:
    cloud.stuck = True
    async with start() as http:
        request = http.stream(
            "POST", "/v1/process", files=upload(samples.pdf("first")), headers={"Accept": "application/x-ndjson"}
        )
        async with request:
            await cloud.uploading.wait()
            while not any(call.startswith("GET") for call in cloud.calls):
                await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            while not any(call.startswith("DELETE") for call in cloud.calls):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("refuse", [0, 401])
async def test_the_key_is_in_no_log_and_no_answer(start, cloud, samples, capfd, caplog, refuse) -> None:
    cloud.refuse = refuse
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logged:
        async with start(log_level="debug") as http:
            answer = await read(http, samples.pdf("first"))
            health = (await http.get("/health")).text
    said = json.dumps(answer) + health + repr(logged) + caplog.text + "".join(capfd.readouterr())
    assert any("Authorization" in headers for headers in cloud.headers)
    assert cloud.key not in said
    assert "secret plan" not in repr(logged) + caplog.text


def test_the_budget_is_by_day_and_by_process(tmp_path: Path) -> None:
    days = ["2026-11-26"]
    one, other = (PageBudget(tmp_path / "sub" / "pages.db", 10, lambda: days[0]) for _ in range(2))
    assert one.take(6)
    assert not other.take(5)
    assert other.take(4)
    assert one.used() == 10
    one.give_back(6)
    assert other.used() == 4
    days[0] = "2026-11-27"
    assert one.take(10)


async def test_the_budget_holds_for_many_at_once(tmp_path: Path) -> None:
    budget = PageBudget(tmp_path / "pages.db", 25)
    taken = await asyncio.gather(*[asyncio.to_thread(budget.take, 3) for _ in range(20)])
    assert sum(taken) == 8

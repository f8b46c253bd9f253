"""Limits by address and by key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import PlainTextResponse

from harness.serving import serving
from service_kit.app import create_app
from service_kit.auth import Spending, User
from service_kit.bodies import form
from service_kit.counters import Counters
from service_kit.errors import TooManyRequests
from service_kit.limits import Budgets, KeyLimits, Strangers, address_of
from service_kit.settings import ServiceSettings
from service_kit.state import service_state

KEY = "sy-test-admin-key"
HEAD = {"Authorization": f"Bearer {KEY}"}
router = APIRouter()


@router.get("/who")
async def who(user: User) -> str:
    return user.name


@router.post("/generate")
async def generate(budget: Spending, tokens: int) -> PlainTextResponse:
    with budget.generation():
        budget.spend(tokens)
    return PlainTextResponse("")


@router.post("/files")
async def files(request: Request) -> int:
    async with form(request) as parts:
        return len(parts)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def running(data_dir: Path, **settings: Any) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    chosen = ServiceSettings(data_dir=data_dir, admin_api_key=KEY, max_upload_mb=2, **settings)
    app = create_app(
        name="switchyard-shared",
        description="",
        settings=chosen,
        routers=[router],
        lifespan=lifespan,
        uploads=["/files"],
    )
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        yield app, client


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_window_begins_with_its_first_event_and_ends(clock: Clock) -> None:
    counters = Counters(clock)
    assert counters.add("a", 60).value == 1
    clock.now = 59
    assert counters.add("a", 60, 5).value == 6
    clock.now = 60
    assert counters.get("a") is None
    assert counters.add("a", 60).value == 1


def test_names_are_bounded_and_the_oldest_is_forgotten(clock: Clock) -> None:
    counters = Counters(clock, most_names=3)
    for name in "abcd":
        counters.add(name, 60)
    assert counters.get("a") is None
    assert all(counters.get(name) for name in "bcd")


def test_failures_wait_twice_as_long_each_time_up_to_fifteen_minutes(clock: Clock) -> None:
    strangers = Strangers(Counters(clock), 1000, 1000)
    waits = []
    for _ in range(11):
        strangers.fail("a")
        with pytest.raises(TooManyRequests) as caught:
            strangers.fail("a")
        assert caught.value.retry_after is not None
        waits.append(caught.value.retry_after)
        strangers.fail("other" + str(len(waits)))
        clock.now += caught.value.retry_after
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]
    clock.now += 3600
    strangers.fail("a")
    with pytest.raises(TooManyRequests) as caught:
        strangers.fail("a")
    assert caught.value.retry_after == 1


def test_strangers_have_a_minute_and_an_hour(clock: Clock) -> None:
    strangers = Strangers(Counters(clock), 10, 100)
    for _ in range(10):
        for _ in range(10):
            strangers.admit("a")
        clock.now += 60
    with pytest.raises(TooManyRequests) as caught:
        strangers.admit("a")
    assert caught.value.retry_after == 3000
    strangers.admit("b")
    clock.now = 3600
    for _ in range(10):
        strangers.admit("a")
    with pytest.raises(TooManyRequests) as caught:
        strangers.admit("a")
    assert caught.value.retry_after == 60


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_what_one_caller_has(host: str, address: str) -> None:
    assert address_of({"client": (host, 5)}) == address
    assert address_of({"client": None}) == ""


@pytest.mark.parametrize(
    "path",
    ["/who", "/who/../who", "/docs/../who", "/docs/%2e%2e/who", "/livez/%2E%2E/who", "//who", "/livez/", "/nowhere"],
)
async def test_ten_requests_without_a_key_whatever_the_path(tmp_path: Path, path: str) -> None:
    async with running(tmp_path) as (_, http):
        url = str(http.base_url).rstrip("/")
        head = (await http.get("/livez")).status_code
        assert head == 200
        answers = [await _raw(url, path) for _ in range(11)]
        assert answers[:10] == [401] * 10
        assert answers[10] == 429
        refused = await http.get("/who")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) in range(1, 61)
        assert refused.json()["type"].endswith(":too-many-requests")
        assert (await http.get("/who", headers=HEAD)).status_code == 200
        assert (await http.get("/livez")).status_code == 200


async def _raw(url: str, path: str) -> int:
    """Ask for a path as it is: clients resolve its dots."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
async def test_junk_is_no_key_and_makes_its_address_wait(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as (_, http):
        junk = {name: "Bearer sy-junk" if name == "Authorization" else "sy-junk"}
        assert (await http.get("/who", headers=junk)).status_code == 401
        waiting = await http.get("/who", headers=junk)
        assert (waiting.status_code, waiting.headers["retry-after"]) == (429, "1")
        statuses = [(await http.get("/who", headers=junk)).status_code for _ in range(9)]
        assert set(statuses) <= {401, 429}
        # The allowance of strangers is spent as well.
        assert (await http.get("/who")).status_code == 429
        assert (await http.get("/who", headers=HEAD)).status_code == 200


async def test_keys_switched_off_does_not_lift_the_limit_of_strangers(tmp_path: Path) -> None:
    async with running(tmp_path, auth_enabled=False) as (app, http):
        assert [(await http.get("/who")).status_code for _ in range(11)] == [200] * 10 + [429]
        token = {"Authorization": f"Bearer {service_state(app).keys.service_token()}"}
        assert (await http.get("/who", headers=token)).json() == "service"


@pytest.mark.parametrize(("trusted", "own"), [((), False), (("192.0.2.0/24",), False), (("127.0.0.0/8",), True)])
async def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    tmp_path: Path, trusted: tuple[str, ...], own: bool
) -> None:
    async with running(tmp_path, trusted_proxies=trusted) as (_, http):
        statuses = [
            (await http.get("/who", headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code for n in range(11)
        ]
        assert statuses[10] == (401 if own else 429)


async def test_each_key_has_its_limits(tmp_path: Path) -> None:
    async with running(tmp_path, key_requests_per_minute=5) as (app, http):
        keys = service_state(app).keys

        def head(name: str, **limits: int) -> dict[str, str]:
            return {"X-API-Key": keys.create(name, "user", limits=KeyLimits(**limits))}

        default, own = head("a"), head("b", requests_per_minute=7)
        assert [(await http.get("/who", headers=default)).status_code for _ in range(6)] == [200] * 5 + [429]
        assert [(await http.get("/who", headers=own)).status_code for _ in range(8)] == [200] * 7 + [429]

        tokens = head("c", tokens_per_day=100)
        asked = [(await http.post("/generate?tokens=60", headers=tokens)).status_code for _ in range(3)]
        assert asked == [200, 200, 429]

        uploads = head("d", upload_mb_per_day=1)
        file = {"file": b"x" * 600_000}
        sent = [(await http.post("/files", files=file, headers=uploads)) for _ in range(2)]
        assert [answer.status_code for answer in sent] == [200, 429]
        assert int(sent[1].headers["retry-after"]) > 80_000
        token = {"Authorization": f"Bearer {keys.service_token()}"}
        assert {(await http.get("/who", headers=token)).status_code for _ in range(9)} == {200}


def test_generations_at_a_time(clock: Clock) -> None:
    budgets = Budgets(Counters(clock), KeyLimits(generations=2))
    one, same, other = budgets.of("a", KeyLimits()), budgets.of("a", KeyLimits()), budgets.of("b", KeyLimits())
    with one.generation(), same.generation():
        with pytest.raises(TooManyRequests), one.generation():
            pass
        with other.generation():
            pass
    with one.generation():
        pass

"""Calls from web pages of other origins, as a browser makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from harness.serving import serving
from service_kit.app import create_app
from service_kit.settings import InvalidSettings, ServiceSettings, load

KEY = "sy-test-admin-key"
PAGE = "https://app.example.org"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
}
router = APIRouter()


@router.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    if "fail" in body:
        raise ZeroDivisionError
    return body


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def allowing(data_dir: Path, *origins: str) -> AsyncIterator[httpx2.AsyncClient]:
    settings = ServiceSettings(data_dir=data_dir, admin_api_key=KEY, max_upload_mb=1, cors_origins=origins)
    app = create_app(name="switchyard-shared", description="", settings=settings, routers=[router], lifespan=lifespan)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers={"Origin": PAGE}) as client:
        yield client


async def test_a_preflight_needs_no_key_and_its_body_is_not_read(tmp_path: Path) -> None:
    async with allowing(tmp_path, PAGE) as http:
        answer = await http.options("/echo", headers=PREFLIGHT)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "x-stainless-lang" in answer.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        behind = await http.options("/echo", headers={**PREFLIGHT, "X-Forwarded-Prefix": "/rag"})
        assert behind.status_code == 200
        # Its body never comes: an answer shows that nobody waits for it.
        host, port = str(http.base_url).removeprefix("http://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [f"{name}: {value}" for name, value in {**PREFLIGHT, "Host": host, "Content-Length": "100000"}.items()]
        writer.write("\r\n".join(["OPTIONS /echo HTTP/1.1", *lines, "", ""]).encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == b"200"
        writer.close()


async def test_answers_and_errors_can_be_read_by_the_page(tmp_path: Path) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    async with allowing(tmp_path, PAGE) as http:
        for status, headers, body in (
            (200, key, {"a": 1}),
            (401, {}, {"a": 1}),
            (422, key, [1]),
            (500, key, {"fail": 1}),
            (413, key, {"a": "x" * 2_000_000}),
        ):
            answer = await http.post("/echo", json=body, headers=headers)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


async def test_other_origins_are_not_allowed(tmp_path: Path) -> None:
    async with allowing(tmp_path, "https://other.example.org") as http:
        assert "access-control-allow-origin" not in (await http.options("/echo", headers=PREFLIGHT)).headers
        assert "access-control-allow-origin" not in (await http.post("/echo", json={})).headers


async def test_without_the_setting_nobody_is(tmp_path: Path) -> None:
    async with allowing(tmp_path) as http:
        answer = await http.options("/echo", headers=PREFLIGHT)
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers


async def test_all_origins_are_allowed_without_credentials_only(tmp_path: Path) -> None:
    async with allowing(tmp_path, "*") as http:
        for answer in (await http.options("/echo", headers=PREFLIGHT), await http.post("/echo", json={})):
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", ()),
        ("[]", ()),
        ("*", ("*",)),
        (f"{PAGE.upper()}, http://localhost:3000", (PAGE, "http://localhost:3000")),
        (f'["{PAGE}"]', (PAGE,)),
    ],
)
def test_origins_are_a_list(monkeypatch: pytest.MonkeyPatch, given: str, read: tuple[str, ...]) -> None:
    monkeypatch.setenv("CORS_ORIGINS", given)
    assert load(ServiceSettings).cors_origins == read


@pytest.mark.parametrize("given", ["app.example.org", f"{PAGE}/", f"{PAGE}/page", "[1", '{"a": 1}'])
def test_what_is_no_origin_names_the_variable(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", given)
    with pytest.raises(InvalidSettings, match="CORS_ORIGINS"):
        load(ServiceSettings)

"""Bodies: nothing is read of a stranger's, and everybody's are bounded as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import UploadFile

from harness.serving import serving
from service_kit.app import create_app
from service_kit.bodies import JSON_BYTES, MAX_DEPTH, MAX_VALUES, check_json, form
from service_kit.errors import InvalidInput
from service_kit.settings import ServiceSettings
from service_kit.state import service_state

KEY = "sy-test-admin-key"
HEAD = {"Authorization": f"Bearer {KEY}"}
router = APIRouter()


@router.post("/small")
async def small(body: Any = None) -> int:
    return len(json.dumps(body))


@router.post("/json")
async def read_json(request: Request) -> int:
    return len(await request.body())


@router.post("/texts")
async def texts(request: Request) -> int:
    return len(await request.body())


@router.post("/files")
async def files(request: Request) -> int:
    async with form(request) as parts:
        file = parts["file"]
        assert isinstance(file, UploadFile)
        return file.size or 0


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def app(tmp_path: Path) -> FastAPI:
    return create_app(
        name="switchyard-shared",
        description="",
        settings=ServiceSettings(data_dir=tmp_path, admin_api_key=KEY, max_upload_mb=8),
        routers=[router],
        lifespan=lifespan,
        uploads=["/files"],
        texts={"/texts": 3_000_000},
    )


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        yield client


class Held:
    """A request whose body is sent piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def begin(cls, http: httpx2.AsyncClient, path: str, **headers: str) -> Held:
        host, port = str(http.base_url).removeprefix("http://").rstrip("/").split(":")
        held = cls(*await asyncio.open_connection(host, int(port)))
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": host, **headers}.items()]
        await held.send("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode())
        return held

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(20):
            status = int((await self._reader.readline()).split()[1])
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}


BOUNDARY = "7b2c"
PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.mark.parametrize("headers", [{}, {"X_API_Key": "sy-junk"}, {"Authorization": "Bearer sy-junk"}])
@pytest.mark.parametrize("length", [{"Content_Length": "5000000"}, {"Transfer_Encoding": "chunked"}])
@pytest.mark.parametrize("kind", ["application/json", MULTIPART])
@pytest.mark.parametrize("path", ["/json", "/files", "/nowhere", "/livez/../json"])
async def test_a_stranger_is_answered_before_the_body_comes(
    http: httpx2.AsyncClient, path: str, kind: str, length: dict[str, str], headers: dict[str, str]
) -> None:
    held = await Held.begin(http, path, Content_Type=kind, **length, **headers)
    assert (await held.answer())[0] == 401
    held.writer.close()


async def test_a_stranger_whose_json_is_broken_is_told_of_the_key(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/small", content=b"[[", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def spooled(folder: Path) -> int:
    """Bytes of the unnamed files that this process has in `folder`."""
    sizes = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{number}").startswith(str(folder)):
                sizes += os.stat(f"/proc/self/fd/{number}").st_size
    return sizes


async def test_nothing_of_a_strangers_upload_is_spooled(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    stranger = await Held.begin(http, "/files", Content_Type=MULTIPART, Content_Length="6000000")
    await stranger.send(PART + b"x" * 4_000_000)
    assert (await stranger.answer())[0] == 401
    known = await Held.begin(http, "/files", X_API_Key=KEY, Content_Type=MULTIPART, Content_Length="6000000")
    assert spooled(spool) == 0
    await known.send(PART + b"x" * 4_000_000)
    async with asyncio.timeout(20):
        while spooled(spool) < 3_000_000:
            await asyncio.sleep(0.01)
        known.writer.close()
        while spooled(spool):
            await asyncio.sleep(0.01)
    stranger.writer.close()


async def test_pages_without_a_key_take_no_body(http: httpx2.AsyncClient) -> None:
    held = await Held.begin(http, "/livez", Content_Length="5000000")
    assert (await held.answer())[0] == 413
    held.writer.close()


@pytest.mark.parametrize(
    ("path", "kind", "size", "status"),
    [
        ("/json", "application/json", JSON_BYTES, 200),
        ("/json", "application/json", JSON_BYTES + 1, 413),
        ("/json", MULTIPART, JSON_BYTES + 1, 413),
        ("/json", "", JSON_BYTES + 1, 413),
        ("/texts", "application/json", 3_000_000, 200),
        ("/texts", "application/json", 3_000_001, 413),
        ("/files", "application/json", JSON_BYTES + 1, 413),
        ("/files", MULTIPART, 8_000_001, 413),
    ],
)
async def test_each_kind_of_route_has_its_limit_with_and_without_a_length(
    http: httpx2.AsyncClient, path: str, kind: str, size: int, status: int
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        left = size
        if kind == MULTIPART:
            yield PART
            left -= len(PART)
        while left > 0:
            yield b" " * min(left, 65_536)
            left -= 65_536

    headers = {**HEAD, "Content-Type": kind}
    whole = b"".join([piece async for piece in pieces()])
    for content in (whole, pieces()):
        answer = await http.post(path, content=content, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("application/problem+json" if status == 413 else "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * (MAX_DEPTH + 1), "nested"),
        (b'{"a":' * (MAX_DEPTH + 1), "nested"),
        (b"[" + b"[]," * MAX_VALUES + b"[]]", "values"),
        (b"[" + b"0," * MAX_VALUES + b"0]", "values"),
    ],
)
async def test_json_that_would_take_long_is_refused_before_it_is_parsed(
    http: httpx2.AsyncClient, body: bytes, words: str
) -> None:
    for path in ("/texts", "/small" if len(body) < JSON_BYTES else "/texts"):
        answer = await http.post(path, content=body, headers={**HEAD, "Content-Type": "application/json"})
        assert answer.status_code == 422
        assert words in answer.json()["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{},:\né'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a"\\[{,'), inner, max_size=4),
    max_leaves=30,
)


def nesting(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(nesting, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.booleans())
def test_what_stands_in_strings_is_not_counted(value: Any, escaped: bool) -> None:
    assert nesting(value) <= MAX_DEPTH
    body = json.dumps(value, ensure_ascii=escaped).encode()
    check_json(body)
    deep = b"[" * MAX_DEPTH + body + b"]" * MAX_DEPTH
    if nesting(value):
        with pytest.raises(InvalidInput):
            check_json(deep)
    else:
        check_json(deep)


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"\\", b"[", b'"a\\\\"', b'{"'])
def test_any_bytes_are_passed_over_once(piece: bytes) -> None:
    """Marks never overlap, so that all of them together are no longer than the body."""
    from service_kit.bodies import _JSON_MARK

    ends = 0
    for mark in _JSON_MARK.finditer(piece * 5000):
        assert mark.start() >= ends
        ends = mark.end()
    if b'"' in piece:
        assert len(_JSON_MARK.findall(b'"' + b'\\"' * 5000)) == 1


async def test_what_one_key_has_under_way_is_bounded(
    http: httpx2.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = service_state(app).keys.create("other", "user")
    first = await Held.begin(
        http, "/files", Authorization=f"Bearer {KEY}", Content_Type=MULTIPART, Content_Length="6000000"
    )
    await first.send(PART)
    upload = {"file": b"x" * 3_000_000}
    async with asyncio.timeout(20):
        # The one that is held has begun once this is refused.
        while (refused := await http.post("/files", files=upload, headers=HEAD)).status_code == 200:
            pass
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
    assert (await http.post("/files", files=upload, headers={"X-API-Key": other})).status_code == 200

    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    await first.send(b"x" * (6_000_000 - len(PART) - len(end)) + end)
    assert (await first.answer())[0] == 200
    assert (await http.post("/files", files=upload, headers=HEAD)).status_code == 200

    # Without a length, room is taken as the bytes come; it is given back where the client goes away.
    chunked = await Held.begin(
        http, "/files", Authorization=f"Bearer {KEY}", Content_Type=MULTIPART, Transfer_Encoding="chunked"
    )
    for piece in (PART, b"x" * 6_000_000):
        await chunked.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    async with asyncio.timeout(20):
        while spooled(tmp_path) < 5_900_000:
            await asyncio.sleep(0.01)
        assert (await http.post("/files", files=upload, headers=HEAD)).status_code == 429
        chunked.writer.close()
        while (await http.post("/files", files=upload, headers=HEAD)).status_code == 429:
            pass
    first.writer.close()


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with room for 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("mounting needs privileges")
    try:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


async def test_a_full_temporary_folder_is_said_as_such(http: httpx2.AsyncClient, small_disk: Path) -> None:
    answer = await http.post("/files", files={"file": b"x" * 4_000_000}, headers=HEAD)
    assert answer.status_code == 507
    assert answer.json()["type"].endswith(":storage-unavailable")
    assert answer.headers["retry-after"]
    assert (await http.post("/files", files={"file": b"x" * 10}, headers=HEAD)).json() == 10

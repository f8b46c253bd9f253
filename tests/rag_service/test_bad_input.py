"""Hostile and broken input: each gets a problem detail that says what and why, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.rag import KEY
from service_kit.state import service_state

JSON = {"Content-Type": "application/json"}


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"].startswith("urn:switchyard:problem:")
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    return dict(problem)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "header", [{"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"X-API-Key": "wrong", "Authorization": ""}]
)
async def test_wrong_and_missing_keys(stack: Any, header: dict[str, str]) -> None:
    answer = await stack.http.get("/v1/documents", headers=header)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_bound_to_one_collection_sees_no_other(stack: Any) -> None:
    await stack.add("Secret plans for the pier.", "Plans", "secret")
    await stack.add("Opening hours.", "Hours", "public")
    bound = service_state(stack.app).keys.create("guest", "user", ["public"])
    head = {"Authorization": f"Bearer {bound}"}
    (secret,) = (await stack.http.get("/v1/documents", params={"collection": "secret"})).json()["items"]
    for method, path, options in (
        ("GET", "/v1/documents?collection=secret", {}),
        ("POST", "/v1/query", {"json": {"question": "plans?", "collection": "secret"}}),
        ("POST", "/v1/search", {"json": {"question": "plans?", "collection": "secret"}}),
        ("POST", "/v1/documents", {"json": {"text": "x", "title": "x", "collection": "secret"}}),
        ("POST", "/v1/documents", {"files": [("files", ("a.txt", b"x"))], "data": {"collection": "secret"}}),
    ):
        assert_problem(await stack.http.request(method, path, headers=head, **options), 403)
    for path in (
        f"/v1/documents/{secret['id']}",
        f"/v1/documents/{secret['id']}/original",
        f"/v1/jobs/{secret['job_id']}",
    ):
        assert_problem(await stack.http.get(path, headers=head), 404)
    assert [row["name"] for row in (await stack.http.get("/v1/collections", headers=head)).json()] == ["public"]
    assert_problem(await stack.http.delete("/v1/collections/public", headers=head), 403)
    assert_problem(await stack.http.post("/v1/reindex", json={"collection": "public"}, headers=head), 403)


async def test_questions_that_are_none(stack: Any) -> None:
    for question in ("x" * 100_000, "", "   ", "\x00"):
        problem = assert_problem(await stack.http.post("/v1/query", json={"question": question}), 422)
        assert problem["field"] == "question"
    assert_problem(await stack.http.post("/v1/query", json={"question": "x", "collection": "nowhere"}), 404)
    assert_problem(await stack.http.post("/v1/query", json={"question": "x", "conversation_id": "conv_1"}), 404)
    assert_problem(await stack.http.post("/v1/query", content=b"{", headers=JSON), 422)
    assert_problem(await stack.http.post("/v1/query", content=b"\xff\xfe", headers=JSON), 422)


async def test_json_bombs(stack: Any) -> None:
    deep = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b', "title": "x"}'
    assert_problem(await stack.http.post("/v1/documents", content=deep, headers=JSON), 422)
    assert_problem(await stack.http.post("/v1/query", content=b"[" * 200_000, headers=JSON), 422)
    assert_problem(await stack.http.post("/v1/documents", content=b"x" * 6_000_000, headers=JSON), 413)


async def test_uploads_that_hold_nothing(stack: Any) -> None:
    assert_problem(await stack.http.post("/v1/documents", files=[("files", ("a.pdf", b""))]), 422)
    assert_problem(
        await stack.http.post("/v1/documents", data={"collection": "x"}, files=[("other", ("a", b"x"))]), 422
    )
    assert_problem(await stack.http.post("/v1/documents", json={"text": " \x00 ", "title": "x"}), 422)
    assert_problem(await stack.http.post("/v1/documents", content=b"x", headers={"Content-Type": "text/csv"}), 415)
    bad = await stack.http.post(
        "/v1/documents", content=b"junk", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert_problem(bad, 400)
    for name in ("../etc", "UPPER", "", "x" * 64, "a b"):
        answer = await stack.http.post("/v1/documents", json={"text": "x", "title": "x", "collection": name})
        assert_problem(answer, 422)
    assert files_in(stack.data_dir / "originals") == []


async def test_too_large_an_upload(stack: Any) -> None:
    answer = await stack.http.post("/v1/documents", files=[("files", ("big.txt", b"x" * 6_000_000))])
    assert_problem(answer, 413)
    assert files_in(stack.data_dir / "originals") == []


async def test_a_cut_upload_leaves_nothing(stack: Any) -> None:
    host, port = stack.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/documents HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of'
    )
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    del reader
    assert (await stack.http.get("/v1/documents")).json()["items"] == []
    assert files_in(stack.data_dir / "originals") == []


async def test_unknown_ids_and_paths(stack: Any) -> None:
    for path in (
        "/v1/documents/doc_x",
        "/v1/jobs/job_x",
        "/v1/conversations/conv_x",
        "/v1/collections/nowhere",
        "/nowhere",
    ):
        assert_problem(await stack.http.get(path), 404)
    assert_problem(await stack.http.put("/v1/documents"), 405)


async def test_file_names_are_only_names(stack: Any) -> None:
    for given, kept in (("../../etc/passwd", "passwd"), ("C:\\temp\\plan.txt", "plan.txt")):
        answer = await stack.http.post("/v1/documents", files=[("files", (given, given.encode()))])
        assert answer.json()["items"][0]["document"]["filename"] == kept


async def test_invalid_utf8_and_nul_bytes_are_read_as_what_they_can_be(stack: Any) -> None:
    answer = await stack.http.post(
        "/v1/documents", content=b'{"text": "lone \\ud800 surrogate", "title": "x"}', headers=JSON
    )
    assert_problem(answer, 422)
    assert_problem(await stack.http.post("/v1/documents", content=b'{"text": "\xff", "title": "x"}', headers=JSON), 422)
    assert (await stack.add("nul\x00 bytes are dropped", "NUL"))["status"] == "ready"
    assert (await stack.http.get("/livez")).status_code == 200


@pytest.mark.parametrize("write", [b"full", b"read-only"])
async def test_a_folder_that_cannot_be_written_is_a_clear_error(
    stack: Any, monkeypatch: pytest.MonkeyPatch, write: bytes
) -> None:
    await stack.add("The harbour register was kept before the disk was full.", "Kept")

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28 if write == b"full" else 30, "No space left on device")

    monkeypatch.setattr("service_kit.originals.tempfile.mkstemp", full)
    problem = assert_problem(await stack.http.post("/v1/documents", files=[("files", ("a.txt", b"x"))]), 507)
    assert "data folder" in problem["detail"]
    monkeypatch.undo()
    assert [row["title"] for row in (await stack.http.get("/v1/documents")).json()["items"]] == ["Kept"]
    assert (await stack.query("What was kept before the disk was full?"))["answered"]

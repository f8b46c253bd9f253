"""The all-in-one process: killed, restarted, and used for the main job."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chromadb
import pytest

from switchyard.client import Client, StackError
from switchyard.services import SERVICES

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).with_name("golden") / "examples.jsonl"
"""Questions on the examples: the document that holds the answer, and words of it; without a document there is none."""
LONG = "\n\n".join(
    f"# Section {number}\n\nBuoy {number} lies {number * 7} metres off the mole and is painted every {number % 9 + 2} years. "
    + "Its chain is inspected by a diver, who writes down wear, shackles and growth. " * 9
    for number in range(130)
)


@pytest.mark.live
def test_a_kill_in_mid_ingest_loses_and_doubles_nothing(process: Any, ended: Callable[..., Any]) -> None:
    client = process.start()
    added = client.call("POST", "/rag/v1/documents", json={"text": LONG, "title": "Buoys"})["items"][0]
    while not 0 < (job := client.call("GET", f"/rag/v1/jobs/{added['job_id']}"))["chunks_done"] < 100:
        assert job["status"] in ("queued", "running"), job
        time.sleep(0.02)
    process.kill(signal.SIGKILL)
    client = process.start()
    job = ended(client, added["job_id"])
    assert job["status"] == "ready"
    document = client.call("GET", f"/rag/v1/documents/{added['document']['id']}")
    answer = client.call("POST", "/rag/v1/query", json={"question": "How many metres off the mole does buoy 97 lie?"})
    assert "679 metres" in answer["text"]
    assert process.kill(signal.SIGTERM) in (0, -signal.SIGTERM)

    with sqlite3.connect(process.data_dir / "rag.db") as rows:
        ordinals = [row[0] for row in rows.execute("SELECT ordinal FROM chunks ORDER BY ordinal")]
        text_rows = rows.execute('SELECT count(*) FROM "default:words"').fetchone()[0]
        page = rows.execute("SELECT text FROM pages").fetchone()[0]
        spans = list(rows.execute('SELECT start, "end", text FROM chunks'))
    rows.close()
    assert ordinals == list(range(document["chunks"]))
    assert text_rows == document["chunks"]
    assert all(page[start:end] == text for start, end, text in spans)
    assert set(re.findall(r"Buoy \d+ lies", page)) == {
        hit for *_, text in spans for hit in re.findall(r"Buoy \d+ lies", text)
    }
    (index,) = chromadb.PersistentClient(str(process.data_dir / "chroma")).list_collections()
    assert index.count() == document["chunks"]


@pytest.mark.live
def test_the_main_job_on_real_files(process: Any, ended: Callable[..., Any]) -> None:
    client: Client = process.start()
    page = client.http.get("/")
    assert page.status_code == 200
    assert f'"{" ".join(service.path for service in SERVICES)}"' in page.text
    for service in SERVICES:
        path = f"/{service.path}"
        assert client.http.get(f"{path}/docs").status_code == 200
        assert client.call("GET", f"{path}/openapi.json")["info"]["title"] == service.name
        assert "switchyard_http_requests" in client.http.get(f"{path}/metrics").text
        assert client.http.get(f"{path}/metrics", headers={"Authorization": ""}).status_code == 401
    assert client.call("GET", "/rag/health")["providers"]["text"]["extractive"] is True

    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/livez", 405), ("GET", "/rag/nowhere", 404)):
        refused = client.http.request(method, path)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        assert refused.json()["detail"] not in ("Not Found", "Method Not Allowed")

    assert page.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for path in EXAMPLES.iterdir():
        if path.suffix != ".py" and path.name != "README.md":
            with path.open("rb") as content:
                client.call("POST", "/rag/v1/documents", files=[("files", (path.name, content))])
    for job in client.call("GET", "/rag/v1/jobs")["items"]:
        assert ended(client, job["id"])["status"] == "ready"
    wrong = [question for question in map(json.loads, GOLDEN.read_text().splitlines()) if not _right(client, question)]
    assert len(wrong) <= 1, wrong

    given = {"text": (EXAMPLES / "meeting-2026-10-14.txt").read_text(), "kind": "meeting"}
    note = client.call("POST", "/notes/v1/notes?wait=60", json=given)
    assert (note["status"], note["extractive"], note["incomplete"]) == ("ready", True, False)
    owners = {action["owner"] for action in note["content"]["action_items"]}
    assert {"Ruben", "Tobias", "Oda"} <= owners
    for point in [*note["content"]["decisions"], *note["content"]["action_items"]]:
        span = point["source"]
        source = client.call("GET", f"/notes/v1/notes/{note['id']}/source")["text"]
        assert source[span["start"] : span["end"]] == span["quote"]

    with (EXAMPLES / "frost-rota-photo.png").open("rb") as content:
        read = client.call("POST", "/doc-processor/v1/process", files={"file": ("rota.png", content)})
    assert read["pages"][0]["engine"] == "rapidocr"
    assert "frost" in read["pages"][0]["text"].lower()


def _right(client: Client, golden: dict[str, Any]) -> bool:
    answer = client.call("POST", "/rag/v1/query", json={"question": golden["question"]})
    if golden["document"] is None:
        return not answer["answered"]
    names = {each["id"]: Path(each["filename"]).stem for each in client.call("GET", "/rag/v1/documents")["items"]}
    cited = {names[citation["document_id"]] for citation in answer["citations"]}
    return golden["document"] in cited and all(words in answer["text"] for words in golden["contains"])


@pytest.mark.live
def test_the_first_start_makes_a_key_that_is_kept_and_not_logged(process: Any) -> None:
    process.start()
    process.kill(signal.SIGTERM)
    kept = process.data_dir / "auth" / "first-key"
    first = kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    process.start()
    client = process.client
    client.http.headers["Authorization"] = f"Bearer {first}"
    assert client.call("GET", "/rag/v1/collections")
    stored = [path for path in process.data_dir.rglob("*") if path.is_file() and path != kept]
    assert process.data_dir / "out.log" in stored
    assert all(first.encode() not in path.read_bytes() for path in stored)


@pytest.mark.live
def test_a_page_of_another_origin_may_call_every_service_if_the_setting_names_it(process: Any) -> None:
    process.env["CORS_ORIGINS"] = "https://chat.example.org"
    client: Client = process.start()
    client.http.headers.pop("Authorization")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for service in SERVICES:
        for origin, status in (("https://chat.example.org", 200), ("https://other.example.org", 400)):
            answer = client.http.options(f"/{service.path}/v1/anything", headers={"Origin": origin, **asked})
            assert answer.status_code == status
            allowed = answer.headers.get("access-control-allow-origin")
            assert allowed == (origin if status == 200 else None)


@pytest.mark.live
def test_a_taken_port_is_said_in_words(process: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from switchyard.server import serve

    process.start()
    with pytest.raises(StackError, match="is in use"):
        serve(process.data_dir, "127.0.0.1", process.port)


@pytest.mark.live
def test_what_is_on_the_disk_is_its_own_users_only(process: Any, ended: Callable[..., Any]) -> None:
    earlier = process.data_dir / "rag.db"
    sqlite3.connect(earlier).close()
    earlier.touch(0o644)
    client: Client = process.start()
    added = client.call("POST", "/rag/v1/documents", json={"text": "The pier is old.", "title": "Pier"})["items"][0]
    assert ended(client, added["job_id"])["status"] == "ready"
    files = [path for path in process.data_dir.rglob("*") if path != process.data_dir / "out.log"]
    assert {earlier, process.data_dir / "jobs.db", process.data_dir / "auth" / "keys.json"} <= set(files)
    open_to_others = {str(path): oct(path.stat().st_mode) for path in files if path.stat().st_mode & 0o077}
    assert open_to_others == {}
    assert process.data_dir.stat().st_mode & 0o777 == 0o700

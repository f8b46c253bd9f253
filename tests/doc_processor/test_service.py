from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest

from doc_processor.app import create
from doc_processor.errors import DocumentRefused
from doc_processor.settings import DocProcessorSettings
from engines import OllamaEngine
from llm_providers import get_provider
from llm_providers.settings import OllamaSettings, ProviderSettings, SelectionSettings
from llm_providers.types import Role
from service_kit.app import SharedParts
from service_kit.durable import Durable
from service_kit.metrics import Metrics
from service_kit.settings import InvalidSettings, load

NDJSON = {"Accept": "application/x-ndjson"}


def upload(data: bytes, name: str = "document", kind: str = "application/octet-stream"):
    return {"file": (name, data, kind)}


async def empty(folder: Path) -> None:
    async with asyncio.timeout(10):
        while list(folder.glob("*/*")):
            await asyncio.sleep(0.02)


async def test_json_has_the_whole_document(client, settings, samples, passage) -> None:
    reply = await client.post("/v1/process", files=upload(samples.pdf(passage, passage), "harbour.pdf"))
    assert reply.status_code == 200
    answer = reply.json()
    assert answer["document"] == {
        "event": "document", "media_type": "application/pdf", "file_name": "harbour.pdf",
        "size_bytes": answer["document"]["size_bytes"], "pages_total": 2, "warnings": [],
        "properties": {"title": "", "author": "anonymous", "created": "2000-01-01T00:00:00+00:00",
                       "modified": "2000-01-01T00:00:00+00:00", "language": ""},
    }  # fmt: skip
    assert [page["number"] for page in answer["pages"]] == [1, 2]
    assert " ".join(answer["pages"][1]["text"].split()) == passage
    assert answer["done"]["engines"] == {"text-layer": 2}
    await empty(settings.work_dir)


async def test_ndjson_streams_pages_in_order(client, samples, passage) -> None:
    scan = samples.scanned_pdf(*[samples.picture(f"Page number {number}. {passage}") for number in (1, 2, 3)])
    async with client.stream("POST", "/v1/process", files=upload(scan), headers=NDJSON) as reply:
        assert reply.headers["content-type"].startswith("application/x-ndjson")
        events = [json.loads(line) async for line in reply.aiter_lines()]
    assert [event["event"] for event in events] == ["document", "page", "page", "page", "done"]
    assert [event["number"] for event in events[1:-1]] == [1, 2, 3]
    for number, event in enumerate(events[1:-1], 1):
        assert event["engine"] == "rapidocr"
        assert event["confidence"] > 0.9
        assert f"Page number {number}" in event["text"]


async def test_server_sent_events(client, samples) -> None:
    reply = await client.post(
        "/v1/process", files=upload(b"# Title\n\ntext", "a.md"), headers={"Accept": "text/event-stream"}
    )
    frames = [frame.split("\n") for frame in reply.text.strip().split("\n\n")]
    assert [frame[0] for frame in frames] == ["event: document", "event: page", "event: done"]
    assert json.loads(frames[1][1].removeprefix("data: "))["text"] == "# Title\n\ntext"


async def test_reading_can_go_on_where_it_stopped(client, samples) -> None:
    data = samples.pdf("first page", "second page", "third page")
    reply = await client.post("/v1/process?first_page=3", files=upload(data))
    assert [page["number"] for page in reply.json()["pages"]] == [3]
    assert (await client.post("/v1/process?first_page=0", files=upload(data))).status_code == 422


@pytest.mark.parametrize(
    ("data", "name", "status", "kind"),
    [
        (b"", "empty.pdf", 422, "empty-file"),
        (b"\x00\x01\x02" * 500, "what.bin", 415, "unsupported-type"),
        (b"%PDF-1.7 nothing", "a.pdf", 422, "unreadable-document"),
        (b"words", "a.docx", 422, "unreadable-document"),
        (b" \n ", "a.txt", 422, "empty-file"),
    ],
)
async def test_bad_files_are_problems_by_type(client, settings, data, name, status, kind) -> None:
    reply = await client.post("/v1/process", files=upload(data, name), headers=NDJSON)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == f"urn:switchyard:problem:{kind}"
    assert problem["field"] == "file"
    assert problem["request_id"]
    await empty(settings.work_dir)


async def test_locked_and_bomb_files_are_problems(client, samples, settings) -> None:
    locked = samples.pdf("secret", user_password="user", owner_password="owner")
    bomb = samples.rezipped(samples.docx(lambda document: None), {"word/bomb.xml": b"<a>" + bytes(300_000_000)})
    for data, status, kind in ((locked, 422, "password-required"), (bomb, 413, "unpacks-too-large")):
        reply = await client.post("/v1/process", files=upload(data))
        assert (reply.status_code, reply.json()["type"].rsplit(":", 1)[1]) == (status, kind)


async def test_requests_without_a_file_are_problems(client) -> None:
    for request in ({"json": {}}, {"files": {"other": b"x"}}, {"data": {"file": "text"}}, {}):
        reply = await client.post("/v1/process", **request)
        assert reply.status_code == 422
        assert reply.json()["field"] == "file"


async def test_the_name_is_only_a_name(client, samples) -> None:
    for name in ("../../etc/passwd.txt", "C:\\Users\\x\\notes.txt", "n" * 600 + ".txt", "naïve ☃.txt"):
        reply = await client.post("/v1/process", files=upload(b"hello", name))
        found = reply.json()["document"]["file_name"]
        assert "/" not in found
        assert "\\" not in found
        assert len(found) <= 255
        assert found.endswith(".txt")


async def test_too_large_uploads_are_refused(settings, serve) -> None:
    small = settings.model_copy(update={"max_upload_mb": 1})
    async with serve(create(small)) as url, httpx2.AsyncClient(base_url=url) as http:
        reply = await http.post("/v1/process", files=upload(b"x" * 1_500_000, "a.txt"))
        assert reply.status_code == 413
        assert (await http.post("/v1/process", files=upload(b"small", "a.txt"))).status_code == 200


# Starlette leaves the spooled part of a body that ends too early to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
async def test_a_cut_upload_leaves_nothing(client, settings) -> None:
    port = client.base_url.port
    head = (
        b"POST /v1/process HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        b'Content-Length: 100000\r\n\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    without_end = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf of the text'
    reply = await client.post(
        "/v1/process", content=without_end, headers={"Content-Type": "multipart/form-data; boundary=B"}
    )
    assert reply.status_code == 422
    assert list(settings.work_dir.glob("*/*")) == []
    assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("headers", [NDJSON, {"Accept": "text/event-stream"}, {"Accept": "application/json"}])
async def test_a_client_that_leaves_takes_its_work_along(settings, serve, samples, passage, headers) -> None:
    pages = [samples.picture(f"{number} {passage} {passage}", size=(1700, 1500)) for number in range(12)]
    scan = samples.scanned_pdf(*pages)
    app = create(settings)
    async with serve(app) as url, httpx2.AsyncClient(base_url=url) as http:
        leaving = asyncio.create_task(http.post("/v1/process", files=upload(scan), headers=headers))
        async with asyncio.timeout(20):
            while not _running(app, settings):
                await asyncio.sleep(0.02)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await empty(settings.work_dir)
        reply = await http.post("/v1/process", files=upload(b"and the service goes on", "a.txt"))
        assert reply.status_code == 200


def _running(app, settings: DocProcessorSettings) -> bool:
    """Say whether the upload is here and a worker of ours is at work."""
    if not list(settings.work_dir.glob("*/*")):
        return False
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                str(settings.work_dir).encode() in status.read_bytes()
                and b"workers.child" in status.with_name("cmdline").read_bytes()
            ):
                return True
        except OSError:
            continue
    return False


async def test_many_documents_at_once(client, samples, passage) -> None:
    async def one(number: int) -> str:
        data = samples.pdf(f"Document {number}. {passage}")
        reply = await client.post("/v1/process", files=upload(data))
        return str(reply.json()["pages"][0]["text"])

    texts = await asyncio.gather(*(one(number) for number in range(20)))
    assert all(text.startswith(f"Document {number}.") for number, text in enumerate(texts))


async def test_keys_are_asked_for(tmp_path: Path, serve) -> None:
    settings = DocProcessorSettings(data_dir=tmp_path, work_dir=tmp_path / "work", admin_api_key="k" * 40)
    async with serve(create(settings)) as url, httpx2.AsyncClient(base_url=url) as http:
        assert (await http.post("/v1/process", files=upload(b"hello", "a.txt"))).status_code == 401
        key = {"Authorization": f"Bearer {'k' * 40}"}
        assert (await http.post("/v1/process", files=upload(b"hello", "a.txt"), headers=key)).status_code == 200


async def test_health_metrics_and_description(client) -> None:
    await client.post("/v1/process", files=upload(b"hello", "a.txt"))
    assert (await client.get("/readyz")).status_code == 200
    assert (await client.get("/health")).json()["providers"] == {}
    assert 'switchyard_pages_total{engine="plain-text"} 1.0' in (await client.get("/metrics")).text
    described = (await client.get("/openapi.json")).json()["paths"]["/v1/process"]["post"]
    assert set(described["responses"]["200"]["content"]) >= {"application/json", "application/x-ndjson"}


def test_settings_come_from_the_environment(monkeypatch) -> None:
    for name, value in {"OCR_LANGUAGES": "eng+nld", "OCR_WORKERS": "", "WORK_DIR": "", "MAX_PAGES": "7"}.items():
        monkeypatch.setenv(name, value)
    settings = load(DocProcessorSettings)
    assert (settings.ocr_languages, settings.max_pages, settings.work_dir) == ("eng+nld", 7, None)
    assert settings.workers >= 1
    monkeypatch.setenv("OCR_LANGUAGES", "eng; rm")
    with pytest.raises(InvalidSettings, match="OCR_LANGUAGES"):
        load(DocProcessorSettings)


async def test_unknown_ocr_languages_are_named_at_start(settings) -> None:
    app = create(settings.model_copy(update={"ocr_languages": "eng+klingon"}))
    with pytest.raises(InvalidSettings, match=r"OCR_LANGUAGES: Tesseract has no klingon; installed are .*eng"):
        async with app.router.lifespan_context(app):
            pytest.fail("it started")


async def test_a_shared_vision_model_is_used(settings, serve, samples, tmp_path) -> None:
    engine = OllamaEngine(answer=lambda _: "The register lies in the shed.", context=100_000)
    unsure = settings.model_copy(update={"vision_below_confidence": 1.0})
    smudge = samples.picture("The register lies in the shed", points=40).resize((170, 90)).resize((1700, 900))
    with engine:
        chosen = ProviderSettings(
            selection=SelectionSettings(llm_provider="ollama"), ollama=OllamaSettings(url=engine.url)
        )
        async with (
            get_provider(chosen, roles={Role.VISION}) as providers,
            serve(create(unsure, SharedParts(providers, Durable.sqlite(tmp_path / "jobs.db"), Metrics()))) as url,
            httpx2.AsyncClient(base_url=url, timeout=60) as http,
        ):
            reply = await http.post("/v1/process", files=upload(samples.encoded(smudge, "PNG"), "scan.png"))
    (page,) = reply.json()["pages"]
    assert (page["engine"], page["text"]) == ("vision", "The register lies in the shed.")
    assert page["warnings"][0].startswith("vision-transcript: ")


class Recorder:
    """Notes for whom files are read, and refuses them."""

    def __init__(self) -> None:
        self.owners: list[str] = []

    def received(self, upload: object, name: str, declared: str, owner: str) -> object:
        self.owners.append(owner)
        raise DocumentRefused("empty-file", "not read")


async def test_only_services_say_for_whom_they_ask(tmp_path: Path, serve) -> None:
    settings = DocProcessorSettings(data_dir=tmp_path, work_dir=tmp_path / "work", admin_api_key="k" * 40)
    app, recorder = create(settings), Recorder()
    async with serve(app) as url, httpx2.AsyncClient(base_url=url) as http:
        app.state.processor = recorder
        token = next(tmp_path.rglob("service-token")).read_text()
        for secret in (token, "k" * 40):
            headers = {"Authorization": f"Bearer {secret}", "X-Switchyard-For": "minutes"}
            await http.post("/v1/process", files=upload(b"hello", "a.txt"), headers=headers)
    assert recorder.owners[0] == "for minutes"
    assert recorder.owners[1] not in ("", "minutes", "for minutes")

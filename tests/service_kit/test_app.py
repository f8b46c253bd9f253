"""The app factory: errors, keys, limits, health, metrics."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from harness.serving import serving
from llm_providers import errors as provider
from service_kit import errors
from service_kit.app import create_app
from service_kit.auth import Admin, User
from service_kit.errors import Conflict
from service_kit.health import HealthCheck
from service_kit.problems import problem
from service_kit.server import configure
from service_kit.settings import InvalidSettings, ServiceSettings, load
from service_kit.state import service_state

KEY = "sy-test-admin-key"
router = APIRouter()


class Body(BaseModel):
    number: int


@router.get("/who")
async def who(user: User) -> dict[str, str]:
    return {"name": user.name, "scope": user.scope}


@router.get("/admin")
async def admin(admin: Admin) -> dict[str, str]:
    return {"name": admin.name}


@router.post("/echo")
async def echo(body: Body) -> Body:
    return body


@router.get("/fail/{kind}")
async def fail(kind: str) -> None:
    raise {
        "conflict": Conflict("taken", field="name", retry_after=3, other="x"),
        "busy": provider.Overloaded("full", backend="vllm", retry_after=7.2),
        "deadline": provider.DeadlineExceeded("spent"),
        "disk": OSError(errno.ENOSPC, "No space left on device: /secret/path"),
        "read-only": OSError(errno.EROFS, "Read-only file system: /secret/path"),
        "reset": ConnectionResetError(errno.ECONNRESET, "secret peer"),
        "timeout": TimeoutError("secret"),
        "table": OperationalError("SELECT secret", {}, Exception("no such table")),
        "bug": ZeroDivisionError("secret detail"),
    }[kind]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


def make(data_dir: Path, **settings: Any) -> FastAPI:
    chosen = ServiceSettings(data_dir=data_dir, **{"admin_api_key": KEY, "max_upload_mb": 1, **settings})
    return create_app(name="switchyard-shared", description="", settings=chosen, routers=[router], lifespan=lifespan)


@pytest.fixture
async def app(tmp_path: Path) -> FastAPI:
    return make(tmp_path)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    head = {"Authorization": f"Bearer {KEY}"}
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers=head) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "status", "type_"),
    [
        ("conflict", 409, "conflict"),
        ("busy", 503, "provider-unavailable"),
        ("deadline", 504, "deadline-exceeded"),
        ("disk", 507, "storage-unavailable"),
        ("read-only", 507, "storage-unavailable"),
        ("reset", 500, "internal-error"),
        ("timeout", 500, "internal-error"),
        ("table", 500, "internal-error"),
        ("bug", 500, "internal-error"),
    ],
)
async def test_errors_are_problem_details_without_secrets(
    http: httpx2.AsyncClient, kind: str, status: int, type_: str
) -> None:
    answer = await http.get(f"/fail/{kind}", headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    members = answer.json()
    assert members["type"] == f"urn:switchyard:problem:{type_}"
    assert members["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert "secret" not in answer.text


async def test_a_problem_says_field_wait_and_more(http: httpx2.AsyncClient) -> None:
    conflict = await http.get("/fail/conflict")
    assert (conflict.json()["field"], conflict.json()["other"]) == ("name", "x")
    assert conflict.headers["retry-after"] == "3"
    assert (await http.get("/fail/busy")).headers["retry-after"] == "8"
    invalid = await http.post("/echo", json={"number": "many"})
    assert (invalid.status_code, invalid.json()["field"]) == (422, "number")


def test_every_provider_error_has_a_status() -> None:
    def below(kind: type[provider.ProviderError]) -> set[type[provider.ProviderError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    for kind in below(provider.ProviderError):
        error = kind([]) if kind is provider.AllBackendsFailed else kind("words")
        members = problem(error)
        assert 400 <= members["status"] < 600
        assert ("retry_after" in members) == (members["status"] == 503)


async def test_keys_by_either_header_and_scopes(http: httpx2.AsyncClient, app: FastAPI) -> None:
    assert (await http.get("/who")).json() == {"name": "environment", "scope": "admin"}
    user = service_state(app).keys.create("reader", "user")
    by_header = await http.get("/who", headers={"X-API-Key": user, "Authorization": ""})
    assert by_header.json() == {"name": "reader", "scope": "user"}
    assert (await http.get("/admin", headers={"Authorization": f"Bearer {user}"})).status_code == 403
    service_state(app).keys.revoke(next(key.id for key in service_state(app).keys.all() if key.name == "reader"))
    assert (await http.get("/who", headers={"Authorization": f"Bearer {user}"})).status_code == 401
    assert (
        await http.get("/who", headers={"Authorization": f"Bearer {service_state(app).keys.service_token()}"})
    ).is_success


_HOLD_EVERY_LOCK = """
import fcntl, pathlib, sys
locks = [path.open("w") for path in pathlib.Path(sys.argv[1]).iterdir() if "lock" in path.name]
for lock in locks:
    fcntl.flock(lock, fcntl.LOCK_EX)
print(len(locks), flush=True)
sys.stdin.read()
"""


async def test_a_key_is_checked_while_another_process_holds_the_locks(
    http: httpx2.AsyncClient, app: FastAPI, tmp_path: Path
) -> None:
    command = (sys.executable, "-c", _HOLD_EVERY_LOCK, str(tmp_path / "auth"))
    holder = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert int(await holder.stdout.readline()) > 0
        for secret in (KEY, service_state(app).keys.service_token(), "sy-unknown"):
            head = {"Authorization": f"Bearer {secret}"}
            answer = await http.get("/who", headers=head, timeout=2)
            assert answer.status_code == (401 if secret == "sy-unknown" else 200)
    finally:
        holder.stdin.close()
        await holder.wait()


async def test_health_pages_ask_for_no_key_and_turn_red(http: httpx2.AsyncClient, app: FastAPI) -> None:
    http.headers.pop("Authorization")
    assert (await http.get("/livez")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200

    async def broken() -> None:
        raise provider.ModelLoading("llama3.2 is loading", retry_after=12)

    service_state(app).health.checks.append(HealthCheck("text", broken))
    red = await http.get("/readyz")
    assert red.status_code == 503
    assert red.headers["retry-after"] == "12"
    assert red.json()["failures"]["text"]["detail"] == "llama3.2 is loading"
    health = (await http.get("/health")).json()
    assert (health["status"], health["version"]) == ("not ready", app.version)
    assert (await http.get("/livez")).status_code == 200


async def test_metrics_count_by_route_and_never_by_path(http: httpx2.AsyncClient) -> None:
    await http.get("/fail/bug")
    await http.get("/nowhere/at/all")
    text = (await http.get("/metrics")).text
    assert 'switchyard_http_requests_total{method="GET",route="/fail/{kind}",status="500"} 1.0' in text
    assert 'route="unmatched"' in text
    assert "nowhere" not in text


async def test_bodies_are_bounded_with_and_without_a_length(http: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"x" * 10_000

    for content in (b"x" * 2_000_000, pieces()):
        answer = await http.post("/echo", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["type"].endswith(":too-large")


async def test_logs_are_json_with_the_request_id_and_without_keys(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, structlog_before = (root.handlers[:], root.level), structlog.get_config()
    app = make(tmp_path)
    configure(service_state(app).settings)
    try:
        async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
            await client.get("/who?token=hidden", headers={"Authorization": f"Bearer {KEY}", "X-Request-ID": "seen-1"})
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
        structlog.configure(**structlog_before)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["request_id"], request["route"], request["status"]) == ("seen-1", "/who", 200)
    assert KEY not in json.dumps(lines)
    assert "hidden" not in json.dumps(lines)


async def test_the_first_start_makes_a_key_that_is_kept_and_not_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in (1, 0):
        async with serving(make(tmp_path, admin_api_key=None)) as url, httpx2.AsyncClient(base_url=url) as client:
            first = (tmp_path / "auth" / "first-key").read_text()
            assert (await client.get("/who", headers={"X-API-Key": first})).json()["scope"] == "admin"
            printed = "".join(capsys.readouterr())
            assert printed.count("an admin key was made") == expected
            assert first not in printed


async def test_behind_a_gateway_links_lead_back_through_it(tmp_path: Path) -> None:
    async with serving(make(tmp_path)) as url, httpx2.AsyncClient(base_url=url) as client:
        behind = await client.get("/docs", headers={"X-Forwarded-Prefix": "/rag"})
        assert "/rag/openapi.json" in behind.text
        assert "/rag/static-offline-docs/" in behind.text
        assert "/rag" not in (await client.get("/docs")).text
        assert "<script>" not in (await client.get("/openapi.json", headers={"X-Forwarded-Prefix": "<script>"})).text
        assert (await client.get("/who", headers={"X-API-Key": KEY, "X-Forwarded-Prefix": "/rag"})).status_code == 200


async def test_keys_can_be_switched_off(tmp_path: Path) -> None:
    async with serving(make(tmp_path, auth_enabled=False)) as url, httpx2.AsyncClient(base_url=url) as client:
        assert (await client.get("/who")).json()["scope"] == "admin"


def test_a_wrong_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_UPLOAD_MB", "lots")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(
        InvalidSettings, match=r"MAX_UPLOAD_MB must be a whole number; LOG_LEVEL must be 'debug'"
    ) as caught:
        load(ServiceSettings)
    assert "lots" not in str(caught.value)


def test_service_errors_have_distinct_types() -> None:
    kinds = errors.ServiceError.__subclasses__()
    types = [kind.type for kind in kinds if kind.__module__ == "service_kit.errors"]
    assert len(types) == len(set(types))


async def test_every_answer_tells_browsers_what_it_is(http: httpx2.AsyncClient) -> None:
    for path, status in (("/who", 200), ("/nowhere", 404), ("/fail/bug", 500), ("/livez", 200), ("/openapi.json", 200)):
        answer = await http.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    refused = await http.get("/who", headers={"Authorization": ""})
    assert (refused.status_code, refused.headers["x-content-type-options"]) == (401, "nosniff")
    page = (await http.get("/docs")).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page
    assert "script-src 'self' 'unsafe-inline'" in page


@pytest.mark.parametrize(("needed", "keyless", "user"), [(True, 401, 403), (False, 200, 200)])
async def test_metrics_are_for_those_who_run_the_service(tmp_path: Path, needed: bool, keyless: int, user: int) -> None:
    app = make(tmp_path, metrics_need_key=needed)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        keys = service_state(app).keys
        assert (await client.get("/metrics")).status_code == keyless
        reader = keys.create("reader", "user")
        assert (await client.get("/metrics", headers={"X-API-Key": reader})).status_code == user
        for allowed in (KEY, keys.create("monitor", "user", grants=["providers"])):
            assert (await client.get("/metrics", headers={"X-API-Key": allowed})).status_code == 200

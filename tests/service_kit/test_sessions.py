"""Sign-in for browsers: sessions, sign-in links, CSRF protection, and keys by the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Self

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from harness.serving import serving
from service_kit import access
from service_kit.app import create_app
from service_kit.auth import User
from service_kit.keys import KeyStore, Scope
from service_kit.sessions import COOKIE, Sessions
from service_kit.settings import ServiceSettings

router = APIRouter(prefix="/v1")


@router.post("/change")
async def change(user: User) -> str:
    return user.name


class Site(AsyncExitStack):
    """A served app with sessions and one changing route, and the clients that talk to it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__()
        self._app = create_app(
            name="rag-service",
            description="",
            settings=ServiceSettings(data_dir=folder, _env_file=None, **settings),  # type: ignore[arg-type]
            routers=(router, access.router),
            lifespan=_nothing,
        )
        self._url = ""

    async def __aenter__(self) -> Self:
        self._url = await self.enter_async_context(serving(self._app))
        return self

    async def client(self, key: str = "") -> httpx2.AsyncClient:
        headers = {"X-API-Key": key} if key else {}
        return await self.enter_async_context(httpx2.AsyncClient(base_url=self._url, headers=headers))

    async def signed_in(self, secret: str) -> httpx2.AsyncClient:
        """Return a browser with a session and its CSRF token."""
        client = await self.client()
        answer = await client.post("/v1/session", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return client


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "auth")


@pytest.fixture
def anna(keys: KeyStore) -> str:
    return keys.create("anna", Scope.USER, ["plans"])


@pytest.fixture
def root(keys: KeyStore) -> str:
    return keys.create("root", Scope.ADMIN)


async def test_a_key_is_exchanged_for_a_cookie_that_no_script_can_read(tmp_path: Path, anna: str) -> None:
    async with Site(tmp_path) as site:
        client = await site.client()
        assert [(await client.get("/v1/session")).json() for _ in range(20)] == [None] * 20
        answer = await client.post("/v1/session", headers={"X-API-Key": anna})
        cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
        said = (await client.get("/v1/session")).json()
        assert (said["name"], said["admin"], said["collections"]) == ("anna", False, ["plans"])
        stored = (tmp_path / "auth" / "sessions.json").read_text()
        assert cookie.value not in stored
        assert anna not in stored


async def test_a_change_within_a_session_needs_the_token_of_the_page(tmp_path: Path, anna: str) -> None:
    async with Site(tmp_path) as site:
        client = await site.signed_in(anna)
        assert (await client.post("/v1/change")).json() == "anna"
        for token in ("", "0" * 64):
            refused = await client.post("/v1/change", headers={"X-CSRF-Token": token})
            assert (refused.status_code, refused.json()["type"]) == (403, "urn:switchyard:problem:forbidden")
        assert (await client.post("/v1/change", headers={"X-API-Key": anna, "X-CSRF-Token": ""})).status_code == 200


async def test_a_session_ends_here_everywhere_and_with_its_key(tmp_path: Path, keys: KeyStore, anna: str) -> None:
    async with Site(tmp_path) as site:
        desk, phone, library = [await site.signed_in(anna) for _ in range(3)]
        assert (await library.delete("/v1/session")).status_code == 204
        assert (await library.get("/v1/session")).json() is None
        assert (await library.post("/v1/change")).status_code == 401
        assert (await desk.get("/v1/session")).status_code == 200
        assert (await desk.delete("/v1/sessions")).json() == {"ended": 2}
        assert (await phone.get("/v1/session")).status_code == 401
        again = await site.signed_in(anna)
        keys.revoke(keys.all()[0].id)
        refused = await again.get("/v1/session")
        assert (refused.status_code, "sign in again" in refused.json()["detail"]) == (401, True)


async def test_a_link_signs_in_once_and_does_nothing_else(tmp_path: Path, anna: str) -> None:
    async with Site(tmp_path) as site:
        program = await site.client()
        made = await program.post("/v1/session/links", headers={"X-API-Key": anna})
        secret = made.json()["secret"]
        link = {"Authorization": f"Bearer {secret}"}
        assert (await program.post("/v1/change", headers=link)).status_code == 401
        assert (await (await site.signed_in(secret)).post("/v1/change")).json() == "anna"
        again = await program.post("/v1/session", headers=link)
        assert (again.status_code, "was used already" in again.json()["detail"]) == (401, True)


def test_what_has_expired_is_not_found(tmp_path: Path, keys: KeyStore, anna: str) -> None:
    sessions, key = Sessions(tmp_path / "auth"), keys.all()[0].id
    old = sessions.begin(key, lasting=-access.SESSION)
    assert sessions.find(old, "session") is None
    new = sessions.begin(key)
    assert sessions.find(new, "session") is not None
    assert sessions.find(new, "link") is None
    assert len(sessions._load()) == 1, "what has expired is left out of the file"


async def test_without_keys_there_is_nothing_to_sign_in_to(tmp_path: Path) -> None:
    async with Site(tmp_path, auth_enabled=False) as site:
        client = await site.client()
        answer = await client.post("/v1/session")
        assert (answer.status_code, answer.json()["admin"], "set-cookie" in answer.headers) == (201, True, False)


async def test_admins_make_bind_and_revoke_keys(tmp_path: Path, root: str, anna: str) -> None:
    async with Site(tmp_path) as site:
        admin, user = await site.signed_in(root), await site.signed_in(anna)
        made = await admin.post("/v1/keys", json={"name": "bob", "collections": ["plans"], "grants": ["direct"]})
        bob = made.json()
        assert (made.status_code, bob["collections"], bob["last_used"]) == (201, ["plans"], None)
        program = await site.client(bob["key"])
        browser = await site.signed_in(bob["key"])
        listed = (await admin.get("/v1/keys")).json()["items"]
        assert {key["name"]: key["last_used"] is not None for key in listed} == {
            "bob": True,
            "anna": True,
            "root": True,
        }
        assert bob["key"] not in str(listed)
        assert (await user.get("/v1/keys")).status_code == 403
        assert (await user.post("/v1/keys", json={"name": "mine", "admin": True})).status_code == 403
        assert (await admin.delete(f"/v1/keys/{bob['id']}")).status_code == 204
        assert [(await one.get("/v1/session")).status_code for one in (program, browser)] == [401, 401]
        own = next(key["id"] for key in listed if key["name"] == "root")
        assert (await admin.delete(f"/v1/keys/{own}")).status_code == 422
        assert (await admin.delete("/v1/keys/none")).status_code == 404
        assert (
            await admin.post("/v1/keys", json={"name": "x", "admin": True, "collections": ["a"]})
        ).status_code == 422
    assert bob["id"] in (tmp_path / "auth" / "key-uses.json").read_text()
    acts = "".join(path.read_text() for path in (tmp_path / "audit").glob("*.jsonl"))
    assert all(f'"{act}"' in acts for act in ("session.begin", "key.create", "key.revoke"))
    assert bob["key"] not in acts

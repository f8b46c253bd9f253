"""What an identity provider sends is believed only if it is signed by it, for us, now, and for this sign-in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from harness.ports import free_port
from harness.serving import serving
from service_kit import oidc
from service_kit.app import create_app
from service_kit.errors import Forbidden
from service_kit.keys import Grant, KeyStore
from service_kit.oidc import OidcSettings
from service_kit.settings import InvalidSettings, ServiceSettings, load

KEY, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
GROUPS: dict[str, Any] = {
    "it": {"admin": True},
    "planning": {"collections": ["plans"], "grants": ["direct"]},
    "harbour": {"collections": ["cranes"]},
    "staff": {},
}
Change = Callable[[dict[str, Any]], None]


def test_rights_of_all_groups_are_joined() -> None:
    settings = OidcSettings.model_validate(
        {
            "oidc_issuer": "http://a",
            "oidc_client_id": "c",
            "oidc_client_secret": "s",
            "oidc_redirect_url": "http://b",
            "oidc_groups": GROUPS,
        }
    )
    both = settings.rights(["planning", "harbour", "unknown"])
    assert (both.collections, both.grants, both.admin) == (["cranes", "plans"], [Grant.DIRECT], False)
    assert settings.rights(["planning", "staff"]).collections is None
    assert settings.rights(["staff", "it"]).admin
    for nothing in ([], ["unknown"]):
        with pytest.raises(Forbidden):
            settings.rights(nothing)


def test_half_a_provider_is_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "http://a")
    with pytest.raises(InvalidSettings, match="OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_REDIRECT_URL, OIDC_GROUPS"):
        load(OidcSettings)


@dataclass
class ScriptedProvider:
    """Publishes its key, and answers any code with a token that the test has made."""

    url: str = ""
    token: Callable[[str], str] = str
    nonce: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def about() -> dict[str, Any]:
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/auth",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
            }

        @app.get("/jwks")
        async def jwks() -> dict[str, Any]:
            return {"keys": [{**KEY.as_dict(private=False), "kid": "k", "use": "sig"}]}

        @app.post("/token")
        async def token(request: Request) -> dict[str, str]:
            self.bodies.append(parse_qs((await request.body()).decode()))
            return {"id_token": self.token(self.nonce), "access_token": "a"}

        return app

    def claims(self) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.url, "aud": "us", "sub": "anna", "nonce": self.nonce, "iat": now, "exp": now + 60,
            "groups": ["planning"], "preferred_username": "Anna",
        }  # fmt: skip


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[tuple[ScriptedProvider, httpx2.AsyncClient]]:
    """Serve a provider, and a service that trusts it."""
    provider = ScriptedProvider()

    @asynccontextmanager
    async def nothing(_: FastAPI) -> AsyncIterator[None]:
        yield

    async with serving(provider.app()) as provider.url:
        settings = OidcSettings.model_validate(
            {
                "oidc_issuer": provider.url,
                "oidc_client_id": "us",
                "oidc_client_secret": "secret",
                "oidc_redirect_url": f"http://127.0.0.1:{free_port()}/back",
                "oidc_groups": GROUPS,
            }
        )
        app = create_app(
            name="rag-service",
            description="",
            settings=ServiceSettings(data_dir=folder, _env_file=None),  # type: ignore[call-arg]
            routers=(),
            lifespan=nothing,
            open_router=oidc.routes(settings),
        )
        async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
            yield provider, client


async def signing_in(provider: ScriptedProvider, client: httpx2.AsyncClient) -> httpx2.Response:
    begun = await client.get("/v1/session/oidc")
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    provider.nonce = query["nonce"][0]
    return await client.get("/v1/session/oidc/callback", params={"state": query["state"][0], "code": "c"})


async def test_a_token_that_is_right_begins_a_session(tmp_path: Path) -> None:
    async with site(tmp_path) as (provider, client):
        provider.token = lambda _: jwt.encode({"alg": "RS256", "kid": "k"}, provider.claims(), KEY)
        answer = await signing_in(provider, client)
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        assert "HttpOnly; Max-Age=43200; Path=/; SameSite=strict" in answer.headers["set-cookie"]
        assert provider.bodies[0]["code_verifier"]
        (key,) = [key for key in KeyStore(tmp_path / "auth").all() if key.id.startswith("oidc-")]
        assert (key.name, key.collections, key.grants) == ("Anna", ("plans",), (Grant.DIRECT,))
    assert '"session.begin"' in "".join(path.read_text() for path in (tmp_path / "audit").glob("*.jsonl"))


def _with(**claims: Any) -> Change:
    return lambda found: found.update(claims)


@pytest.mark.parametrize(
    ("change", "head", "key"),
    [
        pytest.param(_with(aud="them"), {"alg": "RS256", "kid": "k"}, KEY, id="for another client"),
        pytest.param(_with(iss="http://elsewhere"), {"alg": "RS256", "kid": "k"}, KEY, id="of another provider"),
        pytest.param(_with(exp=1), {"alg": "RS256", "kid": "k"}, KEY, id="expired"),
        pytest.param(_with(nonce="another"), {"alg": "RS256", "kid": "k"}, KEY, id="of another sign-in"),
        pytest.param(_with(), {"alg": "RS256", "kid": "k"}, OTHER, id="signed by somebody else"),
        pytest.param(_with(), {"alg": "HS256", "kid": "k"}, OctKey.import_key("secret" * 8), id="by a shared secret"),
        pytest.param(lambda found: found.pop("sub"), {"alg": "RS256", "kid": "k"}, KEY, id="of nobody"),
    ],
)
async def test_any_other_token_is_refused(tmp_path: Path, change: Change, head: dict[str, Any], key: Any) -> None:
    async with site(tmp_path) as (provider, client):

        def token(_: str) -> str:
            claims = provider.claims()
            change(claims)
            return str(jwt.encode(head, claims, key))

        provider.token = token
        answer = await signing_in(provider, client)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:switchyard:problem:sign-in-refused")
        assert "switchyard_session" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("token", ["", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0."])
async def test_what_is_no_signed_token_is_refused(tmp_path: Path, token: str) -> None:
    async with site(tmp_path) as (provider, client):
        provider.token = lambda _: token
        assert (await signing_in(provider, client)).status_code == 401

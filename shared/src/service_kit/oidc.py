"""Sign-in by the team's own identity provider: OpenID Connect, authorization code with PKCE.

OpenID Connect Core 1.0 (https://openid.net/specs/openid-connect-core-1_0.html), RFC 7636, and RFC 9700 for what to beware of.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn, Self
from urllib.parse import urlencode

import httpx2
import structlog
from fastapi import APIRouter, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings
from starlette.responses import RedirectResponse, Response

from service_kit.errors import Forbidden, ServiceError, Unauthenticated, UpstreamUnavailable
from service_kit.keys import Grant, Scope
from service_kit.sessions import COOKIE
from service_kit.state import Service

log = structlog.get_logger(__name__)
SESSION = timedelta(hours=12)
"""Shorter than a key's: who has left a group at the provider keeps its rights until then."""
_ATTEMPT = "switchyard_oidc"
_ATTEMPT_SECONDS = 600
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures only: with `none`, or a shared secret, anybody could make a token."""
_LEEWAY_SECONDS = 60


class Rights(BaseModel):
    """What the members of a group may do; `collections` null: all of them."""

    model_config = ConfigDict(extra="forbid")
    admin: bool = False
    collections: list[str] | None = None
    grants: list[Grant] = []


class OidcSettings(BaseSettings):
    """The identity provider, this client of it, and what its groups may do; off unless `oidc_issuer` is set."""

    oidc_issuer: str | None = Field(
        None, description="Address of the team's identity provider; signs in by keys only if unset"
    )
    oidc_client_id: str | None = Field(None, description="This client's id at the provider")
    oidc_client_secret: SecretStr | None = Field(None, description="Its secret")
    oidc_redirect_url: str | None = Field(
        None, description="As registered at the provider: https://HOST/rag/v1/session/oidc/callback"
    )
    oidc_groups_claim: str = Field("groups", description="The claim that lists a person's groups")
    oidc_groups: dict[str, Rights] = Field(
        {},
        description='What groups may do, as JSON: {"it": {"admin": true}, "planning": {"collections": ["plans"]}, "staff": {}}',
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = ("oidc_client_id", "oidc_client_secret", "oidc_redirect_url", "oidc_groups")
        if self.oidc_issuer and (missing := [name.upper() for name in needed if not getattr(self, name)]):
            raise ValueError(f"OIDC_ISSUER needs {', '.join(missing)} too")
        return self

    def rights(self, groups: Iterable[str]) -> Rights:
        """Join the rights of all groups; raises `Forbidden` where none of them has any."""
        found = [self.oidc_groups[name] for name in groups if name in self.oidc_groups]
        if not found:
            raise Forbidden("none of your groups at your organisation may use this: ask an administrator")
        if any(one.admin for one in found):
            return Rights(admin=True)
        grants = sorted({grant for one in found for grant in one.grants})
        if any(one.collections is None for one in found):
            return Rights(grants=grants)
        return Rights(collections=sorted({name for one in found for name in one.collections or ()}), grants=grants)


class SignInRefused(ServiceError):
    """The provider has refused, or what it sent is not to be trusted."""

    status, type = 401, "sign-in-refused"


@dataclass(slots=True)
class Provider:
    """A client of the identity provider; what it publishes about itself is read once."""

    settings: OidcSettings
    issuer: str
    client_id: str
    client_secret: SecretStr
    redirect_url: str
    _about: dict[str, Any] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, settings: OidcSettings) -> Provider | None:
        """Return None where no provider is set."""
        match settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_redirect_url:
            case str(issuer), str(client_id), SecretStr() as secret, str(redirect_url):
                return cls(settings, issuer, client_id, secret, redirect_url)
        return None

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Return where to send the browser."""
        about = await self._discovered()
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_url,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self.settings.oidc_groups_claim in about.get("scopes_supported", ()):
            query["scope"] += f" {self.settings.oidc_groups_claim}"
        return f"{about['authorization_endpoint']}?{urlencode(query)}"

    async def claims(self, code: str, nonce: str, verifier: str) -> dict[str, Any]:
        """Exchange the code, and return what the provider says of the person; raises `SignInRefused`."""
        about = await self._discovered()
        tokens = await self._json(
            "POST",
            about["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect_url,
                "code_verifier": verifier,
            },
            auth=(self.client_id, self.client_secret.get_secret_value()),
        )
        claims = await self._verified(tokens.get("id_token", ""), about)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            _refuse("the token belongs to another sign-in")
        if self.settings.oidc_groups_claim not in claims and "userinfo_endpoint" in about:
            headers = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
            more = await self._json("GET", about["userinfo_endpoint"], headers=headers)
            if more.get("sub") != claims["sub"]:
                _refuse("the provider has described somebody else")
            claims = {**more, **claims}
        return claims

    async def _verified(self, token: str, about: Mapping[str, Any]) -> dict[str, Any]:
        keys = KeySet.import_key_set(await self._json("GET", about["jwks_uri"]))  # type: ignore[arg-type]
        required = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": about["issuer"]},
            aud={"essential": True, "value": self.client_id},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            required.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            log.warning("id token refused", error=type(error).__name__)
            _refuse("its token is not valid")
        return dict(decoded.claims)

    async def _discovered(self) -> dict[str, Any]:
        async with self._lock:
            if not self._about:
                about = await self._json("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if about.get("issuer") != self.issuer:
                    raise UpstreamUnavailable("the identity provider calls itself otherwise than OIDC_ISSUER")
                self._about = about
        return self._about

    async def _json(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        try:
            # Seldom enough for a connection each.
            async with httpx2.AsyncClient(timeout=10) as client:
                response = await client.request(method, address, **options)
            found = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            log.warning("identity provider", error=type(error).__name__)
            raise UpstreamUnavailable("the identity provider does not answer", retry_after=10) from error
        if response.status_code != 200 or not isinstance(found, dict):
            log.warning("identity provider", status=response.status_code, error=str(found)[:200])
            _refuse("it has refused the exchange")
        return dict(found)


def routes(settings: OidcSettings) -> APIRouter:
    """Return the routes of the sign-in, which need no key; without a provider only the one that says so."""
    provider = Provider.of(settings)
    router = APIRouter(prefix="/v1/session", tags=["access"])

    @router.get("/ways")
    async def sign_in_ways() -> dict[str, bool]:
        """Say how people can sign in: always with a key, and by the team's identity provider where there is one."""
        return {"key": True, "oidc": provider is not None}

    if provider is None:
        return router

    @router.get("/oidc", status_code=302, response_class=RedirectResponse)
    async def begin_sign_in(request: Request) -> Response:
        """Send the browser to the identity provider."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        response = RedirectResponse(await provider.address(state, nonce, verifier), 302)
        response.set_cookie(
            _ATTEMPT,
            f"{state}.{nonce}.{verifier}",
            max_age=_ATTEMPT_SECONDS,
            httponly=True,
            # The browser comes back from another site.
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @router.get("/oidc/callback", status_code=302, response_class=RedirectResponse)
    async def end_sign_in(
        request: Request, service: Service, state: str = "", code: str = "", error: str = ""
    ) -> Response:
        """Take the browser back from the identity provider, and begin a session with the rights of the person's groups."""
        attempt = request.cookies.get(_ATTEMPT, "").split(".")
        if len(attempt) != 3 or not hmac.compare_digest(attempt[0].encode(), state.encode()):
            raise Unauthenticated("this sign-in did not begin in this browser, or took too long: sign in again")
        if error or not code:
            _refuse("it has refused: sign in again" if error else "it has sent no code")
        claims = await provider.claims(code, attempt[1], attempt[2])
        groups = claims.get(provider.settings.oidc_groups_claim)
        rights = provider.settings.rights(map(str, groups) if isinstance(groups, list) else [])
        name = str(claims.get("preferred_username") or claims.get("email") or claims.get("name") or claims["sub"])
        scope = Scope.ADMIN if rights.admin else Scope.USER
        digest = hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()[:16]
        key = await asyncio.to_thread(
            service.keys.know, f"oidc-{digest}", name[:100], scope, rights.collections, rights.grants
        )
        token = await asyncio.to_thread(service.sessions.begin, key.id, lasting=SESSION)
        service.audit.note("session.begin", target=key.id, by="oidc")
        response = RedirectResponse("/", 302)
        seconds, secure = int(SESSION.total_seconds()), request.url.scheme == "https"
        response.set_cookie(COOKIE, token, max_age=seconds, httponly=True, samesite="strict", secure=secure)
        response.delete_cookie(_ATTEMPT, httponly=True, samesite="lax")
        return response

    return router


def _refuse(words: str) -> NoReturn:
    raise SignInRefused(f"the identity provider did not sign you in: {words}")

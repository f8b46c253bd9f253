"""Authentication: an API key becomes a `Principal` before anything of the body is read; routes declare it as a parameter type."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from service_kit.errors import Forbidden, Unauthenticated
from service_kit.keys import Grant, Key, KeyStore, Scope
from service_kit.limits import NO_LIMITS, Budget, Budgets, KeyLimits, Strangers, address_of
from service_kit.middleware import route_path
from service_kit.sessions import COOKIE, CSRF_HEADER, ONCE, Sessions, csrf_token
from service_kit.sse import STILL_ALLOWED
from service_kit.uses import KeyUses

# They describe the key in the OpenAPI document; `Authentication` reads it.
_bearer = HTTPBearer(auto_error=False, description="An API key, such as the one that was generated at the first start")
_header = APIKeyHeader(name="X-API-Key", auto_error=False)
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description=f"A browser's session; changes need `{CSRF_HEADER}` too"
)
SIGN_IN, PROVIDER_SIGN_IN = "/v1/session", "/v1/session/oidc"
_READING = ("GET", "HEAD", "OPTIONS")
_PRINCIPAL, _BUDGET = "switchyard.principal", "switchyard.budget"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: `collections` None means all of them."""

    id: str
    name: str
    scope: Scope
    collections: tuple[str, ...] | None = None
    grants: frozenset[Grant] = frozenset()
    limits: KeyLimits | None = NO_LIMITS
    """None: no limits, not even the defaults."""

    def may(self, grant: Grant) -> bool:
        return self.scope is Scope.ADMIN or grant in self.grants

    def require_grant(self, grant: Grant) -> None:
        """Raise `Forbidden` unless the key has `grant`, or is an admin's."""
        if not self.may(grant):
            raise Forbidden(f"this needs a key with the grant {grant!r}, or an admin key")

    def may_use(self, collection: str) -> bool:
        return self.collections is None or collection in self.collections

    def require(self, collection: str) -> None:
        """Raise `Forbidden` unless the key is bound to `collection` or to none."""
        if not self.may_use(collection):
            raise Forbidden(f"this key may not use the collection {collection!r}", field="collection")


ANONYMOUS = Principal("anonymous", "anonymous", Scope.ADMIN)
_SERVICE = Principal("service", "service", Scope.ADMIN, limits=None)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries: a key, or the secret of a sign-in link; else the token of a browser's session."""

    secret: str | None = None
    session: str | None = None

    @classmethod
    def of(cls, headers: Headers) -> Credentials:
        """Read a bearer token (RFC 6750), else `X-API-Key`, else the cookie."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        secret = (token.strip() if scheme.lower() == "bearer" else "") or headers.get("x-api-key")
        return cls(secret=secret) if secret else cls(session=cookie_parser(headers.get("cookie", "")).get(COOKIE))


_NOTHING = Credentials()


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns credentials into a principal, or into None; without any everybody is `ANONYMOUS` where keys are switched off."""

    keys: KeyStore
    sessions: Sessions
    enabled: bool

    def __call__(self, given: Credentials) -> Principal | None:
        if given.secret:
            if hmac.compare_digest(given.secret.encode(), self.keys.service_token().encode()):
                return _SERVICE
            if (key := self.keys.find(given.secret)) is not None:
                return _principal_with(key)
        if given.session and (principal := self._in_session(given.session, "session")) is not None:
            return principal
        return None if self.enabled else ANONYMOUS

    def by_link(self, secret: str) -> Principal | None:
        """Return whom a sign-in link lets in, which is good for beginning a session and nothing else."""
        return self._in_session(secret, "link")

    def _in_session(self, token: str, kind: Literal["session", "link"]) -> Principal | None:
        session = self.sessions.find(token, kind)
        key = None if session is None else self.keys.get(session.key_id)
        return None if key is None else _principal_with(key)


def _principal_with(key: Key) -> Principal:
    return Principal(key.id, key.name, key.scope, key.collections, frozenset(key.grants), key.limits)


class Authentication:
    """ASGI middleware: refuses requests without a valid key before anything of their body is read.

    `open_paths` need no key, nor does what is below those that end in a slash; `stranger_paths` need none within the
    allowance of strangers. Raises `Unauthenticated`, and
    `TooManyRequests` for an address that goes on without a valid key, and for a key whose requests are spent.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticator,
        open_paths: Collection[str],
        stranger_paths: Collection[str],
        strangers: Strangers,
        budgets: Budgets,
        uses: KeyUses,
    ) -> None:
        self.app = app
        self._authenticate = authenticate
        self._open_paths, self._stranger_paths = frozenset(open_paths), frozenset(stranger_paths)
        self._open_folders = tuple(path for path in open_paths if path.endswith("/"))
        self._strangers, self._budgets, self._uses = strangers, budgets, uses

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and route_path(scope) in self._stranger_paths:
            self._strangers.admit(address_of(scope))
        elif scope["type"] == "http" and not self._is_open(route_path(scope)):
            headers = Headers(scope=scope)
            given = Credentials.of(headers)
            principal = self._authenticated(given, scope)
            if principal is None and given == _NOTHING and (scope["method"], route_path(scope)) == ("GET", SIGN_IN):
                # A page asks whether somebody is signed in; a refusal would count as a failure of its address.
                await JSONResponse(None)(scope, receive, send)
                return
            if principal is None or principal is ANONYMOUS:
                self._strangers.admit(address_of(scope))
            if principal is None:
                self._refuse(given, scope)
            else:
                if given.session and principal is not ANONYMOUS and scope["method"] not in _READING:
                    _require_csrf_token(given.session, headers)
                self._uses.note(principal.id)
                scope[_PRINCIPAL], scope[_BUDGET] = principal, self._budgets.of(principal.id, principal.limits)
                scope[_BUDGET].request()
                # For responses that go on for long: whether the key still is what it was.
                scope[STILL_ALLOWED] = lambda: self._authenticate(given) == principal
        await self.app(scope, receive, send)

    def _authenticated(self, given: Credentials, scope: ASGIScope) -> Principal | None:
        if given.secret is not None and given.secret.startswith(ONCE):
            return self._authenticate.by_link(given.secret) if route_path(scope) == SIGN_IN else None
        return self._authenticate(given)

    def _refuse(self, given: Credentials, scope: ASGIScope) -> NoReturn:
        if given.session:
            raise Unauthenticated("this session has ended: sign in again")
        if not given.secret:
            raise Unauthenticated("send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        if given.secret.startswith(ONCE):
            # People open a link twice: no failure, after which their address would have to wait.
            raise Unauthenticated("this sign-in link was used already, or is older than 15 minutes: ask for a new one")
        self._strangers.fail(address_of(scope))
        raise Unauthenticated("this API key is unknown or was revoked")

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or path.startswith(self._open_folders)


def _require_csrf_token(session: str, headers: Headers) -> None:
    # A page of another site can have the browser send the cookie, and can't know this.
    if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), csrf_token(session).encode()):
        raise Forbidden(
            f"a change within a session needs the header {CSRF_HEADER}, whose value `GET {SIGN_IN}` returns"
        )


def principal_of(scope: ASGIScope) -> Principal | None:
    """Return the caller whom `Authentication` has let in; None on a page that needs no key."""
    found: Principal | None = scope.get(_PRINCIPAL)
    return found


def budget_of(scope: ASGIScope) -> Budget:
    """Return the budget of the caller, whom `Authentication` has let in."""
    budget: Budget = scope[_BUDGET]
    return budget


async def _principal(
    request: Request,
    bearer: Annotated[object, Security(_bearer)],
    header: Annotated[object, Security(_header)],
    cookie: Annotated[object, Security(_cookie)],
) -> Principal:
    if (principal := principal_of(request.scope)) is None:
        raise Unauthenticated("this needs an API key")
    return principal


User = Annotated[Principal, Depends(_principal)]


async def _admin(principal: User) -> Principal:
    if principal.scope is not Scope.ADMIN:
        raise Forbidden("this needs an admin key")
    return principal


async def _budget(request: Request) -> Budget:
    return budget_of(request.scope)


Admin = Annotated[Principal, Depends(_admin)]
Spending = Annotated[Budget, Depends(_budget)]
"""A route's parameter: what is left of the limits of the caller's key."""
authenticated = Security(_principal)

"""Authentication: an API key becomes a `Principal` before anything of the body is read; routes declare it as a parameter type."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, NoReturn

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from service_kit.errors import Forbidden, Unauthenticated
from service_kit.keys import Grant, KeyStore, Scope
from service_kit.limits import NO_LIMITS, Budget, Budgets, KeyLimits, Strangers, address_of
from service_kit.middleware import route_path
from service_kit.sse import STILL_ALLOWED

# They describe the key in the OpenAPI document; `Authentication` reads it.
_bearer = HTTPBearer(auto_error=False, description="An API key, such as the one that was generated at the first start")
_header = APIKeyHeader(name="X-API-Key", auto_error=False)
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
class Authenticator:
    """Turns a secret into a principal, or into None; without one everybody is `ANONYMOUS` where keys are switched off."""

    keys: KeyStore
    enabled: bool

    def __call__(self, secret: str | None) -> Principal | None:
        if secret:
            if hmac.compare_digest(secret.encode(), self.keys.service_token().encode()):
                return _SERVICE
            if (key := self.keys.find(secret)) is not None:
                return Principal(key.id, key.name, key.scope, key.collections, frozenset(key.grants), key.limits)
        return None if self.enabled else ANONYMOUS


def secret_of(headers: Headers) -> str | None:
    """Return the key that a request carries: a bearer token (RFC 6750), else `X-API-Key`; None if there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or headers.get("x-api-key") or None


class Authentication:
    """ASGI middleware: refuses requests without a valid key before anything of their body is read.

    `open_paths` need no key, nor does what is below those that end in a slash. Raises `Unauthenticated`, and
    `TooManyRequests` for an address that goes on without a valid key, and for a key whose requests are spent.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticator,
        open_paths: Collection[str],
        strangers: Strangers,
        budgets: Budgets,
    ) -> None:
        self.app = app
        self._authenticate = authenticate
        self._open_paths = frozenset(open_paths)
        self._open_folders = tuple(path for path in open_paths if path.endswith("/"))
        self._strangers, self._budgets = strangers, budgets

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_open(route_path(scope)):
            secret = secret_of(Headers(scope=scope))
            principal = self._authenticate(secret)
            if principal is None or principal is ANONYMOUS:
                self._strangers.admit(address_of(scope))
            if principal is None:
                self._refuse(secret, scope)
            else:
                scope[_PRINCIPAL], scope[_BUDGET] = principal, self._budgets.of(principal.id, principal.limits)
                scope[_BUDGET].request()
                # For responses that go on for long: whether the key still is what it was.
                scope[STILL_ALLOWED] = lambda: self._authenticate(secret) == principal
        await self.app(scope, receive, send)

    def _refuse(self, secret: str | None, scope: ASGIScope) -> NoReturn:
        if not secret:
            raise Unauthenticated("send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        self._strangers.fail(address_of(scope))
        raise Unauthenticated("this API key is unknown or was revoked")

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or path.startswith(self._open_folders)


def principal_of(scope: ASGIScope) -> Principal | None:
    """Return the caller whom `Authentication` has let in; None on a page that needs no key."""
    found: Principal | None = scope.get(_PRINCIPAL)
    return found


def budget_of(scope: ASGIScope) -> Budget:
    """Return the budget of the caller, whom `Authentication` has let in."""
    budget: Budget = scope[_BUDGET]
    return budget


async def _principal(
    request: Request, bearer: Annotated[object, Security(_bearer)], header: Annotated[object, Security(_header)]
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

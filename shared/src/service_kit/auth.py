"""Authentication: an API key becomes a `Principal`, which routes declare as a parameter type."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service_kit.errors import Forbidden, Unauthenticated
from service_kit.keys import KeyStore, Scope
from service_kit.state import service_state

_bearer = HTTPBearer(auto_error=False, description="An API key, such as the one that was generated at the first start")
_header = APIKeyHeader(name="X-API-Key", auto_error=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: `collections` None means all of them."""

    id: str
    name: str
    scope: Scope
    collections: tuple[str, ...] | None = None

    def may_use(self, collection: str) -> bool:
        return self.collections is None or collection in self.collections

    def require(self, collection: str) -> None:
        """Raise `Forbidden` unless the key is bound to `collection` or to none."""
        if not self.may_use(collection):
            raise Forbidden(f"this key may not use the collection {collection!r}", field="collection")


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns a secret into a principal; raises `Unauthenticated`."""

    keys: KeyStore
    enabled: bool

    def __call__(self, secret: str | None) -> Principal:
        if not self.enabled:
            return Principal("anonymous", "anonymous", Scope.ADMIN)
        if not secret:
            raise Unauthenticated("send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        if hmac.compare_digest(secret.encode(), self.keys.service_token().encode()):
            return Principal("service", "service", Scope.ADMIN)
        key = self.keys.find(secret)
        if key is None:
            raise Unauthenticated("this API key is unknown or was revoked")
        return Principal(key.id, key.name, key.scope, key.collections)


async def _principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    header: Annotated[str | None, Security(_header)],
) -> Principal:
    return service_state(request.app).authenticate(bearer.credentials if bearer else header)


User = Annotated[Principal, Depends(_principal)]


async def _admin(principal: User) -> Principal:
    if principal.scope is not Scope.ADMIN:
        raise Forbidden("this needs an admin key")
    return principal


Admin = Annotated[Principal, Depends(_admin)]
authenticated = Security(_principal)

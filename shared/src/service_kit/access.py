"""`/v1/session` and `/v1/keys`: how browsers sign in, and how administrators manage keys."""

from __future__ import annotations

import asyncio
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service_kit.auth import ANONYMOUS, Admin, Credentials, Principal, User
from service_kit.errors import InvalidInput
from service_kit.keys import Grant, Key, Scope
from service_kit.limits import NO_LIMITS, KeyLimits
from service_kit.requests import RequestBody
from service_kit.sessions import COOKIE, ONCE, SESSION, csrf_token
from service_kit.state import Service

router = APIRouter(prefix="/v1", tags=["access"])


class SessionOut(BaseModel):
    """Who is signed in, and what a page needs to make changes."""

    key_id: str
    name: str
    admin: bool
    collections: list[str] | None = Field(description="The collections that the key is bound to; null: all")
    grants: list[Grant]
    csrf_token: str = Field(description="To be sent as `X-CSRF-Token` with every change; empty outside a session")


class LinkOut(BaseModel):
    secret: str = Field(description="Good for one sign-in within 15 minutes: open the page at `/#once=SECRET`")


class EndedOut(BaseModel):
    ended: int = Field(description="Sessions and unused links that have ended")


class KeyIn(RequestBody):
    """A key to be made; `collections` null: all of them."""

    name: str = Field(min_length=1, max_length=100, examples=["anna"])
    admin: bool = False
    collections: list[str] | None = Field(None, max_length=100)
    grants: list[Grant] = Field(default=[], description="`direct`: ask the model itself; `providers`: see the engines")
    limits: KeyLimits = NO_LIMITS


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    admin: bool
    collections: list[str] | None
    grants: list[Grant]
    limits: KeyLimits
    created: datetime
    last_used: datetime | None = Field(description="By about a minute; null if it was not used since this is recorded")


class NewKeyOut(KeyOut):
    key: str = Field(description="The secret: it can't be shown again")


class KeysOut(BaseModel):
    items: list[KeyOut]


@router.post("/session", status_code=201)
async def sign_in(request: Request, response: Response, service: Service, principal: User) -> SessionOut:
    """Exchange the key of the request, or the secret of a sign-in link, for a session in an HttpOnly cookie."""
    secret = Credentials.of(request.headers).secret
    if principal is ANONYMOUS:
        return _session(principal, None)
    if secret is None or service.keys.get(principal.id) is None:
        raise InvalidInput("send the key to sign in with: 'Authorization: Bearer KEY'")
    once = secret if secret.startswith(ONCE) else None
    token = await asyncio.to_thread(service.sessions.begin, principal.id, once)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _session(principal, token)


@router.get("/session")
async def get_session(request: Request, principal: User) -> SessionOut | None:
    """Say who is signed in; null if nobody is."""
    return _session(principal, Credentials.of(request.headers).session)


@router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, service: Service, principal: User) -> None:
    """End this session."""
    if (token := Credentials.of(request.headers).session) is not None:
        await asyncio.to_thread(service.sessions.end, token)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


@router.delete("/sessions")
async def sign_out_everywhere(response: Response, service: Service, principal: User) -> EndedOut:
    """End all sessions of this key, on every device."""
    ended = await asyncio.to_thread(service.sessions.end_all, principal.id)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return EndedOut(ended=ended)


@router.post("/session/links", status_code=201)
async def make_link(service: Service, principal: User) -> LinkOut:
    """Make a link that signs this key in once, in a browser to which the key itself must not be given."""
    if service.keys.get(principal.id) is None:
        raise InvalidInput("only a key can have a sign-in link")
    return LinkOut(secret=await asyncio.to_thread(service.sessions.link, principal.id))


@router.get("/keys")
async def list_keys(service: Service, admin: Admin) -> KeysOut:
    """List all keys, without their secrets, newest first."""
    uses = await asyncio.to_thread(service.uses.all)
    keys = sorted(service.keys.all(), key=lambda key: key.created, reverse=True)
    return KeysOut(items=[_key(key, uses.get(key.id)) for key in keys])


@router.post("/keys", status_code=201)
async def create_key(given: KeyIn, service: Service, admin: Admin) -> NewKeyOut:
    """Make a key, and show it this once."""
    scope = Scope.ADMIN if given.admin else Scope.USER
    arguments = given.name, scope, given.collections, given.grants, given.limits
    secret = await asyncio.to_thread(service.keys.create, *arguments)
    key = service.keys.find(secret)
    assert key is not None
    return NewKeyOut(**_key(key, None).model_dump(), key=secret)


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, service: Service, admin: Admin) -> None:
    """Revoke a key: it and its sessions are refused from the next request on, and its open streams end."""
    if key_id == admin.id:
        raise InvalidInput("this is the key you are signed in with: revoke it with another admin key", field="key_id")
    await asyncio.to_thread(service.keys.revoke, key_id)
    await asyncio.to_thread(service.sessions.end_all, key_id)


def _session(principal: Principal, token: str | None) -> SessionOut:
    return SessionOut(
        key_id=principal.id,
        name=principal.name,
        admin=principal.scope is Scope.ADMIN,
        collections=None if principal.collections is None else list(principal.collections),
        grants=sorted(principal.grants),
        csrf_token="" if token is None else csrf_token(token),
    )


def _key(key: Key, used: datetime | None) -> KeyOut:
    return KeyOut(
        id=key.id,
        name=key.name,
        admin=key.scope is Scope.ADMIN,
        collections=None if key.collections is None else list(key.collections),
        grants=list(key.grants),
        limits=key.limits,
        created=datetime.fromisoformat(key.created),
        last_used=used,
    )

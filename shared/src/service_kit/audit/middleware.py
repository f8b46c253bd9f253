"""ASGI middleware that writes the log, so that no route has to."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.audit.acts import Act, Kind, act_of, asked, given, shows_body
from service_kit.audit.entries import INTENT, OUTCOME, Fields, now
from service_kit.audit.log import AuditLog, caller
from service_kit.auth import Principal, principal_of
from service_kit.context import fault, request_id
from service_kit.errors import ServiceError
from service_kit.limits import address_of
from service_kit.middleware import route_path

log = structlog.get_logger(__name__)
_INSIDE = "switchyard.audit"
_REFUSED = (401, 403, 429)
_MAX_PATH = 200
_MAX_QUESTION = 4_000_000


class Refusals:
    """Around `Authentication`: records whom it does not let in."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self.app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except ServiceError as error:
            if _INSIDE not in scope and scope["type"] == "http":
                act = "sign-in" if principal_of(scope) is None else "limit"
                self._log.refuse({**_about(scope, act), "status": error.status, "problem": error.type})
            raise


class Acts:
    """Inside `Authentication`: records what callers do.

    A change is on the disk before the app sees its request, and how it ended before its caller does: a process that is
    killed in between leaves an entry, which the next one closes as unknown. Raises `StorageUnavailable` where a change can't be
    recorded; it is not done then.
    """

    def __init__(self, app: ASGIApp, log: AuditLog, *, with_text: bool) -> None:
        self.app, self._log, self._with_text = app, log, with_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or principal_of(scope) is None:
            await self.app(scope, receive, send)
            return
        scope[_INSIDE] = True
        act = act_of(scope["method"], route_path(scope))
        about = _about(scope, act.name)
        caller.set(about["who"])
        if act.kind is Kind.CHANGE:
            await self._change(act, about, scope, receive, send)
        elif act.kind is Kind.QUESTION:
            await self._question(about, scope, receive, send)
        else:
            await self._reading(act, about, scope, receive, send)

    async def _change(self, act: Act, about: Fields, scope: Scope, receive: Receive, send: Send) -> None:
        identity = uuid4().hex
        begun = {**about, "phase": INTENT, "id": identity}
        ended = _Ending(self._log, begun)
        try:
            await self._log.write(begun)
            await self.app(scope, ended.seeing(receive) if shows_body(act) else receive, ended.before(send))
        except BaseException as error:
            ended.with_error(error)
            raise
        ended.without_answer()

    async def _question(self, about: Fields, scope: Scope, receive: Receive, send: Send) -> None:
        begun = {**about, "phase": INTENT, "id": uuid4().hex}
        body = bytearray()
        status, recorded = 0, False

        async def receive_body() -> Message:
            nonlocal recorded
            message = await receive()
            if message["type"] == "http.request" and not recorded:
                body.extend(message.get("body", b""))
                if not message.get("more_body") or len(body) > _MAX_QUESTION:
                    recorded = True
                    await self._ask(begun, bytes(body))
            return message

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        problem: Fields = {}
        try:
            await self.app(scope, receive_body, send_and_see)
        except BaseException as error:
            problem = _failure(error)
            raise
        finally:
            if not recorded:
                self._log.add(begun)
            self._log.add({**begun, "time": now(), "phase": OUTCOME, "status": status or None, **_said(), **problem})

    async def _ask(self, begun: Fields, body: bytes) -> None:
        """Write a question, which the thread that writes takes from the body, before the app sees it; not waiting for the disk."""

        def make() -> Fields:
            return {**begun, **asked(body, with_text=self._with_text)}

        try:
            await asyncio.shield(asyncio.wrap_future(self._log.begin(make, durable=False)))
        except ServiceError:
            # Nothing changes by it: it is answered, and the loss is counted.
            log.error("a question is not in the audit log", request_id=begun["request_id"])

    async def _reading(self, act: Act, about: Fields, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        problem: Fields = {}
        try:
            await self.app(scope, receive, send_and_see)
        except BaseException as error:
            problem = _failure(error)
            raise
        finally:
            entry = {"problem": None, **about, "status": status or None, **_said(), **problem}
            if entry["status"] in _REFUSED:
                self._log.refuse(entry)
            elif act.kind is Kind.READING:
                self._log.add(entry)


class _Ending:
    """How a change ends, recorded once: with the head of its answer, with an error, or with neither."""

    def __init__(self, audit: AuditLog, begun: Fields) -> None:
        self._log, self._begun, self._recorded = audit, begun, False
        self._body = b""

    def seeing(self, receive: Receive) -> Receive:
        async def receive_body() -> Message:
            message = await receive()
            self._body += message.get("body", b"")
            return message

        return receive_body

    def before(self, send: Send) -> Send:
        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._recorded:
                self._recorded = True
                try:
                    await self._log.write(self._outcome({"status": message["status"], **_said()}))
                except ServiceError:
                    # It is done: the caller must not be told otherwise. The next start closes the entry as unknown.
                    log.error("the outcome of an act is not in the audit log", id=self._begun["id"])
            await send(message)

        return send_after

    def with_error(self, error: BaseException) -> None:
        self._add(_failure(error))

    def without_answer(self) -> None:
        self._add({"status": None, "outcome": "no answer"})

    def _add(self, how: Fields) -> None:
        if not self._recorded:
            self._recorded = True
            self._log.add(self._outcome(how))

    def _outcome(self, how: Fields) -> Fields:
        return {**self._begun, "time": now(), "phase": OUTCOME, **given(self._body), **how}


def _about(scope: Scope, act: str) -> Fields:
    return {
        "time": now(),
        "act": act,
        "who": _who(principal_of(scope), address_of(scope)),
        "method": scope["method"],
        "target": route_path(scope)[:_MAX_PATH],
        "request_id": request_id(),
    }


def _who(principal: Principal | None, address: str) -> Fields:
    if principal is None:
        return {"key": "stranger", "address": address}
    return {"key": principal.id, "name": principal.name, "address": address}


def _said() -> Fields:
    """Return the problem that the caller was told, if there was one."""
    said = fault()
    return {"problem": said.kind} if said is not None and said.kind else {}


def _failure(error: BaseException) -> Fields:
    if isinstance(error, ServiceError):
        return {"status": error.status, "problem": error.type}
    if isinstance(error, asyncio.CancelledError):
        return {"outcome": "cancelled"}
    return {"status": 500, "problem": "internal-error"}

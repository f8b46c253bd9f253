"""Pure ASGI middleware: the request id with its access log line and metrics, what browsers are told, and the path prefix."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.context import set_request_id, watch_fault
from service_kit.metrics import Metrics
from service_kit.problems import answer_to

log = structlog.get_logger("service_kit.access")
_PREFIX = re.compile(r"(/[a-z0-9-]{1,64}){1,4}")
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/livez", "/readyz", "/metrics", "/healthz")
_HEALTH_ROUTES = ("/livez", "/readyz", "/health", "/metrics")
"""Their 503 reports a failure, and is not one more."""

_BROWSER = (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"))
_DATA_HEADERS = (*_BROWSER, ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
_PAGE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = (*_BROWSER, ("Content-Security-Policy", _PAGE_POLICY))


class RequestContext:
    """Give each request an id (the caller's own, if sane), log it once and count it; answer what nobody else did.

    Unexpected errors are answered here, so that whatever is around it sees an answer and no exception.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        identity = sent if _ACCEPTABLE_ID.fullmatch(sent) else uuid4().hex
        set_request_id(identity)
        fault = watch_fault()
        status = 0
        started = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identity
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            if status:
                # The stream is cut off.
                fault.kind, fault.status = fault.kind or "internal-error", 500
                raise
            await answer_to(error)(scope, receive, send_with_id)
        finally:
            seconds = perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_http(scope["method"], route, status, seconds)
            if fault.status >= 500 and route not in _HEALTH_ROUTES:
                self.metrics.on_failure(fault.kind)
            line = log.debug if scope["path"].endswith(_QUIET) else log.info
            line("request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))


class SecurityHeaders:
    """Tell browsers to take an answer for what it says it is, to frame it nowhere, and to run nothing of others in it.

    The pages of the API's description bring scripts of their own; a header that a route has set stays.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                for name, value in _PAGE_HEADERS if is_page else _DATA_HEADERS:
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class ForwardedPrefix:
    """Behind a gateway: use the path that it removed (`X-Forwarded-Prefix`) as the app's root path, so that its links work.

    Root path as in https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope; anything but plain path
    segments is ignored.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope.get("root_path"):
            prefix = Headers(scope=scope).get("x-forwarded-prefix", "")
            if _PREFIX.fullmatch(prefix):
                scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
        await self.app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """Return the path that routes are matched with: without the path of the app itself, and decoded."""
    root, path = scope.get("root_path", ""), str(scope["path"])
    inside = path.removeprefix(root)
    return inside if inside.startswith("/") else path

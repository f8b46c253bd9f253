"""One pure ASGI middleware: request id, access log line and request metrics."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.context import set_request_id, watch_fault
from service_kit.errors import TooLarge, problem, response
from service_kit.metrics import Metrics

log = structlog.get_logger("service_kit.access")
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/livez", "/readyz", "/metrics", "/healthz")
_ABOUT_ITSELF = ("/livez", "/readyz", "/health", "/metrics")
"""Routes that say what is wrong: that they can say so is no failure."""


class RequestContext:
    """Give each request an id (the caller's own, if sane), log it once and count it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body_bytes: int) -> None:
        self.app = app
        self.metrics = metrics
        self._too_large = TooLarge(f"a request may have {max_body_bytes:,} bytes here (MAX_UPLOAD_MB)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if _ACCEPTABLE_ID.fullmatch(given) else uuid4().hex
        set_request_id(identity)
        fault = watch_fault()
        status = 0
        started = perf_counter()

        replaced = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if status == TooLarge.status and headers.get("content-type", "").startswith("text/plain"):
                    # The body limiter answers on its own, before any handler: say it as every other error is said.
                    replaced = True
                    await response(problem(self._too_large))(scope, receive, send)
                    return
                headers["X-Request-ID"] = identity
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            # The outermost handler has answered 500 already, or the stream was cut.
            status = status or 500
            fault.kind, fault.status = fault.kind or "internal-error", 500
            raise
        finally:
            seconds = perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.on_http(scope["method"], route, status, seconds)
            if fault.status >= 500 and route not in _ABOUT_ITSELF:
                self.metrics.on_failure(fault.kind)
            line = log.debug if scope["path"].endswith(_QUIET) else log.info
            line("request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))

"""Pure ASGI middleware for a service behind a gateway that gives it a path prefix."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX = re.compile(r"(/[a-z0-9-]{1,64}){1,4}")


class ForwardedPrefix:
    """Use the path that the gateway removed (`X-Forwarded-Prefix`) as the app's root path, so that its links work.

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

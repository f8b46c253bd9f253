"""The web page, as the all-in-one process serves it; nginx serves the same files from the gateway's image."""

from __future__ import annotations

from importlib.resources import as_file, files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from switchyard.services import SERVICES

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No script or style within the page, nothing from elsewhere; the gateway's headers.conf says the same."""


class _Files(StaticFiles):
    """The page's own files: looked at again each time, as an upgrade changes them under the same names."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        response = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes() -> list[BaseRoute]:
    """Return the routes of the page: `/`, and its files below `/web`."""
    with as_file(files("switchyard").joinpath("web")) as folder:
        paths = " ".join(service.path for service in SERVICES)
        page = (folder / "index.html").read_text().replace("@PATHS@", paths)

        async def index(_: Request) -> Response:
            return HTMLResponse(page, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})

        return [Route("/", index), Mount("/web", _Files(directory=folder))]

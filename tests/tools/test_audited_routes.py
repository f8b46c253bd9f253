"""The list of acts names every route that may change something."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Mount

from service_kit.audit.acts import act_of
from switchyard.allinone import create

_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def test_every_route_that_changes_something_is_an_act_with_a_name(tmp_path: Path) -> None:
    routes = create(tmp_path, "http://127.0.0.1:1").routes
    services = [mount.app for mount in routes if isinstance(mount, Mount) and isinstance(mount.app, FastAPI)]
    found = {
        (method.upper(), re.sub(r"\{\w+\}", "x", path))
        for service in services
        for path, methods in service.openapi()["paths"].items()
        for method in methods
        if method.upper() in _CHANGING
    }
    assert len(found) > 20
    assert {(method, path) for method, path in found if act_of(method, path).name.endswith(" request")} == set()

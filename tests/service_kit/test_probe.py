"""A container's health check."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from harness.serving import serving
from service_kit import health
from service_kit.health import Health, HealthCheck
from service_kit.metrics import Metrics
from service_kit.probe import probe


async def test_it_is_red_with_the_reason_and_green_without() -> None:
    async def fail() -> None:
        raise RuntimeError("no token yet")

    state = Health("thing", "1")
    state.up = True
    app = FastAPI()
    app.include_router(health.router(state, Metrics()))
    async with serving(app) as url:
        port = int(url.rsplit(":", 1)[1])
        assert await asyncio.to_thread(probe, port) is None
        state.checks.append(HealthCheck("text", fail))
        words = await asyncio.to_thread(probe, port)
        assert words is not None
        assert words.startswith("text: ")
    assert "does not answer" in str(await asyncio.to_thread(probe, port))

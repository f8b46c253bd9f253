"""What `create_app` puts on `app.state`, with types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Request

from llm_providers.providers import Providers

if TYPE_CHECKING:
    from service_kit.audit.log import AuditLog
    from service_kit.counters import Counters
    from service_kit.health import Health
    from service_kit.keys import KeyStore
    from service_kit.metrics import Metrics
    from service_kit.sessions import Sessions
    from service_kit.settings import ServiceSettings
    from service_kit.uses import KeyUses


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What every service has, whatever it does."""

    settings: ServiceSettings
    health: Health
    metrics: Metrics
    keys: KeyStore
    sessions: Sessions
    uses: KeyUses
    counters: Counters
    audit: AuditLog


def service_state(app: FastAPI) -> ServiceState:
    """Return the state of an app that `create_app` made."""
    state: ServiceState = app.state.service
    return state


def _service(request: Request) -> ServiceState:
    return service_state(request.app)


Service = Annotated[ServiceState, Depends(_service)]
"""A route's parameter: what its service has."""


def _providers(request: Request) -> Providers:
    providers: Providers = request.app.state.providers
    return providers


Opened = Annotated[Providers, Depends(_providers)]
"""A route's parameter: the providers of its service."""

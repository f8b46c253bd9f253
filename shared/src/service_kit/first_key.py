"""The keys that an installation has from its start: the service token, and one of an administrator."""

from __future__ import annotations

from sys import stdout

import structlog

from service_kit.audit.log import AuditLog
from service_kit.keys import KeyStore, Scope
from service_kit.settings import ServiceSettings

log = structlog.get_logger(__name__)


def prepare_keys(keys: KeyStore, settings: ServiceSettings, audit: AuditLog | None = None) -> None:
    """Make sure that there is an admin key; one that is generated here is shown to the operator."""
    keys.ensure_service_token()
    if not settings.auth_enabled:
        log.warning("API keys are switched off: anyone who can reach this port may do anything")
    elif settings.admin_api_key is not None:
        keys.adopt("environment", settings.admin_api_key.get_secret_value(), Scope.ADMIN)
    elif (first := keys.ensure_first()) is not None:
        if audit is not None:
            audit.note("key.create", target="first")
        if stdout.isatty():
            print(f"\nYour admin API key, also in {keys.first_key}: {first}\n", flush=True)  # noqa: T201
        else:
            # The output of a container is its log, which must hold no key.
            log.info("an admin key was made", where=str(keys.first_key))

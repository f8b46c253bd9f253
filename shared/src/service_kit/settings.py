"""The settings that all services have in common."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode

from llm_providers.faults import said
from llm_providers.settings import EnvironmentSettings, secrets_dir
from service_kit.audit.chain import Retention
from service_kit.limits import KeyLimits

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/?#@\s]+", re.IGNORECASE)
"""An origin as browsers send it (RFC 6454), without path or trailing slash; `*` stands for all of them."""


def _listed(value: object) -> object:
    """Split a comma-separated list; one in brackets is JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} is no origin: write scheme://host or scheme://host:port, or *")
    # As browsers write it.
    return value.lower()


def _network(value: str) -> str:
    return str(ip_network(value, strict=False))


class ServiceSettings(EnvironmentSettings):
    """Common settings; a field's upper-case name is its environment variable."""

    data_dir: Path = Field(Path("data"), description="Where everything that must outlive the process is kept")
    host: str = Field("127.0.0.1", description="Address a service listens on")
    port: int | None = Field(None, ge=1, le=65535, description="Port a service listens on; if unset, each has its own")
    auth_enabled: bool = Field(True, description="Ask for an API key on every call but the health pages")
    admin_api_key: SecretStr | None = Field(
        None, min_length=16, description="An admin key of your own, instead of a generated one"
    )
    max_upload_mb: int = Field(200, ge=1, description="Largest request body, in MB; more is answered 413")
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_listed)] = (
        Field((), description="Origins of web pages that may call the services from a browser, comma-separated; none")
    )
    metrics_need_key: bool = Field(True, description="Show /metrics to admin keys and keys with a grant only")
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_listed)
    ] = Field((), description="Addresses or networks whose X-Forwarded-For says where a request comes from; none")
    anonymous_requests_per_minute: int = Field(
        10, ge=1, description="Requests a minute that an address may make without a valid key"
    )
    anonymous_requests_per_hour: int = Field(
        100, ge=1, description="Requests an hour that an address may make without a valid key"
    )
    key_requests_per_minute: int | None = Field(
        None,
        ge=1,
        description="Requests a minute that a key may make, unless it has a limit of its own; no limit if unset",
    )
    key_generations: int | None = Field(None, ge=1, description="Generations that a key may have at a time; no limit")
    key_tokens_per_day: int | None = Field(
        None, ge=1, description="Tokens that models may read and write for a key in a day; no limit"
    )
    key_upload_mb_per_day: int | None = Field(None, ge=1, description="MB that a key may upload in a day; no limit")
    audit_questions: Literal["hash", "text"] = Field(
        "hash", description="What the audit log keeps of a question: its SHA-256 and length, or its words too"
    )
    audit_file_mb: int = Field(16, ge=1, description="Size at which the audit log begins a new file; each day does too")
    audit_keep_days: int = Field(365, ge=1, description="Days after which files of the audit log are deleted")
    audit_keep_mb: int = Field(
        1000, ge=1, description="MB of old files that each audit log may have; the oldest go first"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    log_format: Literal["json", "console"] = Field("json", description="One JSON object per line, or lines for people")
    shutdown_grace_seconds: float = Field(20, gt=0, description="How long open requests may finish after SIGTERM")

    @property
    def max_body_bytes(self) -> int:
        return self.max_upload_mb * 1_000_000

    @property
    def audit_retention(self) -> Retention:
        return Retention(self.audit_file_mb * 1_000_000, self.audit_keep_days, self.audit_keep_mb * 1_000_000)

    @property
    def key_limits(self) -> KeyLimits:
        """The limits of keys that have none of their own."""
        return KeyLimits(**{field.name: getattr(self, f"key_{field.name}") for field in fields(KeyLimits)})


class InvalidSettings(ValueError):
    """A setting is missing or wrong; the message names its environment variable."""


S = TypeVar("S", bound=BaseSettings)


def load(settings_class: type[S]) -> S:
    """Read settings from the environment, and from secrets that are mounted as files; raises `InvalidSettings` that names every variable at fault."""
    try:
        return settings_class(_secrets_dir=secrets_dir())
    except ValidationError as error:
        # A rule about several settings has no place, and names them itself.
        faults = [
            said("".join(str(part).upper() for part in item["loc"][:1]), item)
            for item in error.errors(include_input=False)
        ]
        raise InvalidSettings("; ".join(faults)) from error

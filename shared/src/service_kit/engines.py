"""`/v1/engines`: the table of engines, shown, changed and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import perf_counter
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from llm_providers.engines.table import Engine, EngineName
from llm_providers.errors import ProviderError
from llm_providers.providers import Providers
from llm_providers.routing import InvalidPolicy, policy_file
from llm_providers.types import Role
from service_kit.auth import Admin, Principal
from service_kit.errors import Conflict, InvalidInput, NotFound, PolicyConflict
from service_kit.requests import RequestBody
from service_kit.state import Opened

router = APIRouter(prefix="/v1/engines", tags=["engines"])


class EnginesIn(RequestBody):
    """The engines that are added to the configured ones, all of them; `revision` is the policy's that was read."""

    revision: int
    why: str = Field(min_length=1, max_length=500)
    engines: dict[EngineName, Engine]


class EngineCheckIn(RequestBody):
    """An engine of the table by its name."""

    name: EngineName


@router.get("")
async def get_engines(providers: Opened, user: Admin) -> dict[str, Any]:
    """Return the table of engines: kind, where the entry comes from, and address, model and settings per role."""
    return _table(providers)


@router.put("")
async def put_engines(given: EnginesIn, providers: Opened, user: Admin) -> dict[str, Any]:
    """Replace the engines that were added while running, for every service; each follows within a second.

    409 if the policy has changed since `revision`; 422 for an engine that the policy names and the table would lose, for
    the name of a configured engine, and for a link-local address.
    """
    with policy_errors():
        await providers.change_engines(given.revision, given.engines, changed_by(user), given.why)
    return _table(providers)


@router.post("/check")
async def check_engine(given: EngineCheckIn, providers: Opened, user: Admin) -> dict[str, Any]:
    """Let an engine do real work once in each of its roles that this service uses, and say what runs there."""
    engine = providers.engines().get(given.name)
    if engine is None:
        raise NotFound(f"there is no engine {given.name!r}", field="name")
    return {"name": given.name, "roles": {role: await _checked(providers, given.name, role) for role in engine.roles}}


async def _checked(providers: Providers, name: str, role: Role) -> dict[str, Any]:
    if role not in providers.status():
        return {"ok": None, "detail": f"{role} is not served here, so that it was not tried"}
    begun = perf_counter()
    try:
        await providers.check(role, name)
    except ProviderError as error:
        return {"ok": False, "model": providers.model(role, name), "detail": str(error)}
    seconds = round(perf_counter() - begun, 3)
    about = await providers.about_one(role, name)
    facts = {"detail": str(about)} if isinstance(about, ProviderError) else {"about": asdict(about)}
    return {"ok": True, "model": providers.model(role, name), "seconds": seconds, **facts}


@contextmanager
def policy_errors(prefix: str = "") -> Iterator[None]:
    """Turn what a change of the document raises into problems; `prefix` is the body's member that holds it."""
    try:
        yield
    except policy_file.StalePolicy as error:
        raise PolicyConflict(str(error), field="revision") from error
    except policy_file.PolicyError as error:
        raise Conflict(str(error)) from error
    except InvalidPolicy as error:
        raise InvalidInput(str(error), field=f"{prefix}{error.field}") from error


def changed_by(user: Principal) -> str:
    """Return the name under which the audit knows a key."""
    return f"{user.name} ({user.id})"


def _table(providers: Providers) -> dict[str, Any]:
    policy = providers.policy.current
    return {
        "revision": policy.revision,
        "engines": {
            name: {
                "source": "configured" if name in providers.configured else "added",
                "used_for": policy.users_of(name),
                **engine.model_dump(mode="json", exclude_none=True),
            }
            for name, engine in sorted(providers.engines().items())
        },
    }

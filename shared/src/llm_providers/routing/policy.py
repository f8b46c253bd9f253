"""Which engine serves a role, and which engines were added: a small document, changed while everything runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from llm_providers.engines.table import Engine, EngineName, FrozenDocument
from llm_providers.types import Role

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
CHAT_ROLES = (Role.TEXT, Role.VISION)


class InvalidPolicy(ValueError):
    """The document asks for something impossible; `field` says where."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class OnBreak(StrEnum):
    """What happens to an answer whose backend fails in mid-stream."""

    CONTINUE = "continue"
    RESTART = "restart"
    FAIL = "fail"


class RolePolicy(FrozenDocument):
    """Who serves one role: `stable`; while it fails, the `fallbacks` in order; for a share of requests, the `candidate`."""

    stable: str
    fallbacks: tuple[str, ...] = ()
    candidate: str | None = None
    canary_percent: Percent = 0
    """Of conversations, answered by the candidate."""
    shadow_percent: Percent = 0
    """Of requests, sent to the candidate as well, after the user has had the answer."""
    halted: bool = False
    on_break: OnBreak = OnBreak.CONTINUE
    previous: str | None = None
    """The stable backend before this one, to which `rollback` returns."""

    @property
    def named(self) -> tuple[str, ...]:
        """Every backend that may be called, the stable one first."""
        extra = (self.candidate,) if self.candidate else ()
        return tuple(dict.fromkeys((self.stable, *self.fallbacks, *extra)))

    @model_validator(mode="after")
    def _check_chain(self) -> Self:
        if self.candidate is None and (self.canary_percent or self.shadow_percent):
            raise ValueError("a canary or a shadow needs a candidate")
        if self.candidate == self.stable:
            raise ValueError("the candidate is the stable backend already")
        if len({self.stable, *self.fallbacks}) != 1 + len(self.fallbacks):
            raise ValueError("a backend is named twice in the chain")
        return self


class Gates(FrozenDocument):
    """The limits for a candidate, over the last `window_seconds` and once it has had `min_requests`.

    Rates are shares of its requests. `max_unusable_rate` (empty, or cut off before its end), `max_invalid_json_rate` and
    `max_quality_loss` limit how much worse it may be than the stable side.
    """

    window_seconds: PositiveFloat = 300
    min_requests: PositiveInt = 20
    max_error_rate: Share = 0.05
    max_p95_seconds: PositiveFloat = 20
    max_first_token_p95_seconds: PositiveFloat = 10
    max_unusable_rate: Share = 0.1
    max_invalid_json_rate: Share = 0.05
    max_quality_loss: Share = 0.15


class Change(FrozenDocument):
    """Who made the document what it is, when (UTC) and why."""

    by: str
    at: datetime
    why: str

    @classmethod
    def now(cls, by: str, why: str) -> Self:
        return cls(by=by, at=datetime.now(UTC), why=why)


class Policy(FrozenDocument):
    """The whole document; `revision` grows by one with every change.

    `engines` holds those that were added while everything ran; the environment's are not in it.
    """

    revision: PositiveInt = 1
    changed: Change
    roles: dict[Role, RolePolicy]
    gates: Gates = Gates()
    engines: dict[EngineName, Engine] = Field(default_factory=dict)

    def check(self, backends: Mapping[str, frozenset[Role]], roles: Collection[Role]) -> None:
        """Raise `InvalidPolicy` if one of `roles` names a backend that is not in the table or does not serve it."""
        for role, wanted in self.roles.items():
            if role not in roles:
                continue
            for name in wanted.named:
                field = f"roles.{role}.{_place(wanted, name)}"
                if name not in backends:
                    known = ", ".join(sorted(backends)) or "none"
                    raise InvalidPolicy(f"{name!r} is not a backend that is configured here ({known})", field)
                if role not in backends[name]:
                    raise InvalidPolicy(f"{name!r} does not serve {role}", field)
            if wanted.candidate is not None and role not in CHAT_ROLES:
                words = f"{role} takes no candidate: a canary would mix two models' results"
                raise InvalidPolicy(words, f"roles.{role}.candidate")

    def users_of(self, engine: str) -> list[Role]:
        """Return the roles that name an engine."""
        return [role for role, wanted in self.roles.items() if engine in wanted.named]

    def with_role(self, role: Role, **changes: object) -> Policy:
        """Return this document with other values for one role; raises ValueError for values that make no sense."""
        changed = RolePolicy.model_validate({**self.roles[role].model_dump(), **changes})
        return self.model_copy(update={"roles": {**self.roles, role: changed}})


def _place(wanted: RolePolicy, name: str) -> str:
    if name == wanted.stable:
        return "stable"
    return "fallbacks" if name in wanted.fallbacks else "candidate"

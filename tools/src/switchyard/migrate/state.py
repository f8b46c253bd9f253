"""The state of a migration, in a file that is valid after a kill at any moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchyard.client import StackError
from switchyard.migrate.plan import Plan, Stage, StageLimits
from switchyard.reports import write_json
from switchyard.transitions import RolePolicy

_VERSION = 1


@dataclass(slots=True)
class StageRun:
    """One stage; `held` counts the seconds in which it was watched."""

    name: str
    began: str
    held: float = 0.0
    ended: str | None = None
    outcome: str = "running"
    sample: int = 0
    base: dict[str, int] = field(default_factory=dict)
    """Shadow comparisons, done and failed, from before the stage began."""
    seen: dict[str, Any] = field(default_factory=dict)
    """The server's last figures."""
    followed: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class MigrationState:
    """A migration; `left` is the role's policy as it was last seen or set, `intended` what is being written over it."""

    plan: Plan
    url: str
    began: str
    stage: int = 0
    left: RolePolicy = field(default_factory=dict)
    intended: RolePolicy | None = None
    passages: list[StageRun] = field(default_factory=list)
    parity: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, Any] = field(default_factory=dict)
    """The server's gates at the beginning."""
    outcome: str | None = None
    """promoted, rolled back; None while it is running."""
    why: str = ""

    @property
    def now(self) -> Stage:
        return self.plan.stages[self.stage]

    @property
    def passage(self) -> StageRun | None:
        """The passage of the current stage; None before it has begun."""
        return self.passages[self.stage] if len(self.passages) > self.stage else None


class StateFile:
    """Reads and writes one migration."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, state: MigrationState) -> None:
        """Write atomically."""
        write_json(self.path, {"version": _VERSION, **asdict(state)})

    def read(self) -> MigrationState | None:
        """Return the saved state; raises `StackError` for any other file."""
        try:
            saved = json.loads(self.path.read_text())
            if saved.pop("version") != _VERSION:
                raise KeyError("version")
            plan = saved.pop("plan")
            stages = tuple(Stage(**stage) for stage in plan.pop("stages"))
            limits = StageLimits(**plan.pop("limits"))
            passages = [StageRun(**passage) for passage in saved.pop("passages")]
            return MigrationState(plan=Plan(**plan, stages=stages, limits=limits), passages=passages, **saved)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StackError(f"{self.path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StackError(
                f"{self.path} is not the state of a migration: move it, or name another file with --state"
            ) from error


def now() -> str:
    """Return the current time, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")

"""What the routes find on `app.state`, by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from notes_service.notes import Notes
from notes_service.tables import Job
from service_kit.jobs import Jobs


@dataclass(frozen=True, slots=True)
class State:
    notes: Notes
    jobs: Jobs[Job]


def state_of(request: Request) -> State:
    state: State = request.app.state.notes
    return state


Here = Annotated[State, Depends(state_of)]

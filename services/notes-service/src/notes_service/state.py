"""The state of the notes-service's app, with types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from notes_service.notes import Notes
from notes_service.tables import Job
from service_kit.jobs import Jobs


@dataclass(frozen=True, slots=True)
class NotesState:
    """What the routes use."""

    notes: Notes
    jobs: Jobs[Job]


def notes_state(request: Request) -> NotesState:
    state: NotesState = request.app.state.notes
    return state


State = Annotated[NotesState, Depends(notes_state)]

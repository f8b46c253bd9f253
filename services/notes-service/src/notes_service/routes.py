"""`/v1/notes`."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse

from llm_providers.tokens import estimate_tokens
from notes_service import markdown
from notes_service.draft import Kind
from notes_service.notes import Notes
from notes_service.schemas import JobOut, NoteEdit, NoteIn, NoteOut, SourceOut, shown
from notes_service.tables import Note
from service_kit import jobs
from service_kit.auth import Principal, Spending, User
from service_kit.bodies import form, parse
from service_kit.errors import InvalidInput, UnsupportedType
from service_kit.jobs import OPEN
from service_kit.limits import Budget
from service_kit.pages import Cursor, Limit, Page

router = APIRouter(prefix="/v1/notes", tags=["notes"])


def notes_of(request: Request) -> Notes:
    notes: Notes = request.app.state.notes
    return notes


UseCases = Annotated[Notes, Depends(notes_of)]
job_router = jobs.routes(lambda request: notes_of(request).jobs, JobOut)

# One path takes two media types, which FastAPI's parameters can't say: the body is parsed and described by hand.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": NoteIn.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "kind": {"type": "string", "enum": list(get_args(Kind)), "default": "general"},
                    },
                }
            },
        },
    }
}
Wait = Annotated[float, Query(ge=0, le=120, description="Seconds to wait for the note before answering with a job")]


@router.post(
    "",
    status_code=201,
    response_model=NoteOut,
    openapi_extra=_BODY,
    responses={202: {"model": NoteOut, "description": "Stored; the job named in `job_id` is at work"}},
)
async def add_note(request: Request, notes: UseCases, user: User, budget: Spending, wait: Wait = 30) -> JSONResponse:
    """Make a note of a text (JSON) or a document (multipart, field `file`).

    Answers 201 with the note if it is done within `wait` seconds, else 202; either way text and job are stored.
    """
    match request.headers.get("content-type", "").split(";")[0].strip().lower():
        case "application/json":
            note = await _from_text(await request.body(), notes, user, budget)
        case "multipart/form-data":
            note = await _from_file(request, notes, user)
        case _:
            raise UnsupportedType("send application/json with `text`, or multipart/form-data with `file`")
    note = await notes.wait(note, wait, user)
    return JSONResponse(shown(note), status_code=202 if note.status in OPEN else 201)


async def _from_text(body: bytes, notes: Notes, user: Principal, budget: Budget) -> Note:
    note = parse(NoteIn, body)
    with budget.generation():
        # The job is not the request's, so that the text is counted before it is read.
        budget.spend(estimate_tokens(note.text))
    return await notes.make_from_text(note.text, note.title, note.kind, user)


async def _from_file(request: Request, notes: Notes, user: Principal) -> Note:
    async with form(request, max_files=1, max_fields=5) as parts:
        kind, file = parts.get("kind") or "general", parts.get("file")
        if kind not in get_args(Kind):
            raise InvalidInput(f"kind is one of {', '.join(get_args(Kind))}", field="kind")
        if not isinstance(file, UploadFile):
            raise InvalidInput("no file was sent: use the multipart field `file`", field="file")
        return await notes.make_from_file(file.filename or "untitled", file.file, kind, user)  # type: ignore[arg-type]


@router.get("")
async def list_notes(
    notes: UseCases,
    user: User,
    q: Annotated[str | None, Query(max_length=200, description="Words that a note holds, all of them")] = None,
    kind: Kind | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[NoteOut]:
    """List or search notes, newest first."""
    listed = await notes.listing(user, q, kind, limit, cursor)
    return Page(items=[NoteOut.model_validate(row) for row in listed.items], next_cursor=listed.next_cursor)


@router.get("/{note_id}")
async def get_note(note_id: str, notes: UseCases, user: User) -> NoteOut:
    """Return a note."""
    return NoteOut.model_validate(await notes.get(note_id, user))


@router.get("/{note_id}/source")
async def get_source(note_id: str, notes: UseCases, user: User) -> SourceOut:
    """Return the text that the note was made of."""
    note = await notes.get(note_id, user)
    return SourceOut(name=note.source_name, text=note.source_text)


@router.get("/{note_id}/markdown", response_class=Response, responses={200: {"content": {"text/markdown": {}}}})
async def get_markdown(note_id: str, notes: UseCases, user: User) -> Response:
    """Export a note as Markdown."""
    text = markdown.render(await notes.get(note_id, user))
    return Response(text, media_type="text/markdown; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})


@router.put("/{note_id}")
async def edit_note(note_id: str, edit: NoteEdit, notes: UseCases, user: User) -> NoteOut:
    """Replace a note's title and content."""
    note = await notes.get(note_id, user)
    return NoteOut.model_validate(await notes.edit(note, edit.title, edit.content, edit.revision))


@router.post("/{note_id}/retry", status_code=202)
async def retry_note(note_id: str, notes: UseCases, user: User) -> NoteOut:
    """Try a failed or cancelled note again, from the text that was stored."""
    return NoteOut.model_validate(await notes.retry(await notes.get(note_id, user)))


@router.delete("/{note_id}", status_code=204)
async def delete_note(note_id: str, notes: UseCases, user: User) -> None:
    """Delete a note with its text and file."""
    await notes.delete(await notes.get(note_id, user))

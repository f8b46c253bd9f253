"""`/v1/documents`."""

from __future__ import annotations

import io
from itertools import zip_longest
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse

from rag_service.documents import DEFAULT, Added, Given
from rag_service.schemas import (
    AddedManyOut,
    AddedOut,
    CollectionName,
    DeletedOut,
    DocumentOut,
    ExternalId,
    PageLayoutOut,
    PageOut,
    SourcesIn,
    TextIn,
)
from rag_service.state import Rag, RagState
from service_kit.auth import Principal, User
from service_kit.bodies import fields, form, parse
from service_kit.errors import InvalidInput, UnsupportedType
from service_kit.pages import Cursor, Limit, Page

router = APIRouter(prefix="/v1/documents", tags=["documents"])
Status = Literal["queued", "running", "ready", "failed", "cancelled", "replaced"]

# One path takes two media types, which FastAPI's parameters can't say: the body is read by hand and described here.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "collection": {"type": "string", "default": DEFAULT},
                        "external_id": {
                            "type": "array",
                            "items": {"type": "string", "maxLength": 1000},
                            "description": "What each file is called where it comes from, in the order of `files`; its "
                            "name if not given. A file replaces the one before it that has the same",
                        },
                    },
                }
            },
            "application/json": {"schema": TextIn.model_json_schema()},
        },
    }
}


@router.post("", status_code=202, openapi_extra=_BODY, responses={200: {"description": "All of it was there already"}})
async def add_documents(request: Request, response: Response, rag: Rag, user: User) -> AddedManyOut:
    """Add files (multipart, field `files`) or a text (JSON): answered once stored, read in the background by a job."""
    match request.headers.get("content-type", "").split(";")[0].strip().lower():
        case "application/json":
            added = [await _add_text(await request.body(), rag, user)]
        case "multipart/form-data":
            added = await _add_files(request, rag, user)
        case _:
            raise UnsupportedType("send multipart/form-data with `files`, or application/json with `text` and `title`")
    if not any(one.document.status == "queued" for one in added):
        response.status_code = 200
    return AddedManyOut(items=[_added(one) for one in added])


def _added(one: Added) -> AddedOut:
    return AddedOut(document=DocumentOut.model_validate(one.document), job_id=one.document.job_id, new=one.new)


async def _add_text(body: bytes, rag: RagState, user: Principal) -> Added:
    given = parse(TextIn, body)
    user.require(given.collection)
    text = given.text.replace("\x00", "")
    if not text.strip():
        raise InvalidInput("the text is empty", field="text")
    source = io.BytesIO(text.encode("utf-8", "replace"))
    return await rag.documents.add(given.collection, Given(f"{given.title}.md", source, given.title, given.external_id))


async def _add_files(request: Request, rag: RagState, user: Principal) -> list[Added]:
    async with form(request, max_files=100, max_fields=110) as parts:
        collection = str(parts.get("collection") or DEFAULT)
        user.require(collection)
        files = [part for name in ("files", "file") for part in parts.getlist(name) if isinstance(part, UploadFile)]
        if not files:
            raise InvalidInput("no file was sent: use the multipart field `files`", field="files")
        ids = fields(SourcesIn, {"external_id": parts.getlist("external_id")}).external_id
        if ids and len(ids) != len(files):
            raise InvalidInput(f"{len(files)} files, but {len(ids)} times `external_id`", field="external_id")
        given = [
            Given(part.filename or "untitled", part.file, external_id=external_id)
            for part, external_id in zip_longest(files, ids)
        ]
        return [await rag.documents.add(collection, one) for one in given]


@router.get("")
async def list_documents(
    rag: Rag,
    user: User,
    collection: CollectionName = DEFAULT,
    status: Status | None = None,
    named: Annotated[str, Query(max_length=200, description="Part of the title or of the file name")] = "",
    external_id: ExternalId | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DocumentOut]:
    """List a collection's documents, newest first; versions that were replaced only by their status."""
    user.require(collection)
    found = await rag.documents.listing(collection, status, limit, cursor, named, external_id)
    return Page(items=[DocumentOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{document_id}")
async def get_document(document_id: str, rag: Rag, user: User) -> DocumentOut:
    """Describe a document."""
    return DocumentOut.model_validate(await rag.documents.get(document_id, user))


@router.get("/{document_id}/original", response_class=FileResponse)
async def get_original(document_id: str, rag: Rag, user: User) -> FileResponse:
    """Return the bytes as they were given, always as a download."""
    document = await rag.documents.get(document_id, user)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    path = rag.originals.path(document.sha256)
    return FileResponse(path, filename=document.filename, media_type="application/octet-stream", headers=headers)


@router.get("/{document_id}/pages")
async def get_pages(
    document_id: str,
    rag: Rag,
    user: User,
    first: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[PageOut]:
    """Return pages with their text, in which citations count characters."""
    document = await rag.documents.get(document_id, user)
    return [PageOut.model_validate(page) for page in await rag.documents.pages(document.id, first, limit)]


@router.get("/{document_id}/pages/{number}/picture", response_class=Response)
async def get_picture(document_id: str, number: int, request: Request, rag: Rag, user: User) -> Response:
    """Return the page of a PDF or a scan as people see it, as JPEG."""
    document = await rag.documents.get(document_id, user)
    headers = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}
    return Response(await rag.views.picture(document, number), media_type="image/jpeg", headers=headers)


@router.get("/{document_id}/pages/{number}/layout")
async def get_layout(document_id: str, number: int, rag: Rag, user: User) -> PageLayoutOut:
    """Say where the words of the page's text stand on its picture, so that quoted words can be boxed."""
    document = await rag.documents.get(document_id, user)
    return PageLayoutOut.model_validate(await rag.views.layout(document, number), from_attributes=True)


@router.post("/{document_id}/retry", status_code=202)
async def retry_document(document_id: str, rag: Rag, user: User) -> AddedOut:
    """Read a failed or cancelled document again, or the pages of a ready one whose worker crashed or hung; it answers meanwhile."""
    return _added(await rag.documents.retry(await rag.documents.get(document_id, user)))


@router.get("/{document_id}/versions")
async def list_versions(document_id: str, rag: Rag, user: User) -> list[DocumentOut]:
    """List the versions that there are of a document, the newest first: being read, answering, replaced or failed."""
    found = await rag.documents.versions(await rag.documents.get(document_id, user))
    return [DocumentOut.model_validate(row) for row in found]


@router.post("/{document_id}/restore", status_code=202)
async def restore_document(document_id: str, rag: Rag, user: User) -> AddedOut:
    """Let the version that was last replaced answer again, once it is indexed; the one that answers now is replaced then."""
    return _added(await rag.documents.restore(await rag.documents.get(document_id, user)))


@router.delete("/{document_id}")
async def delete_document(document_id: str, rag: Rag, user: User) -> DeletedOut:
    """Delete a document with its text, vectors and file, and say how much went; with one that answers, its other versions."""
    return DeletedOut.model_validate(await rag.documents.delete(await rag.documents.get(document_id, user)))

"""The events that a caller gets: a document, its pages in order, and one end."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PropertiesOut(BaseModel):
    """What the file says about itself; empty where it says nothing."""

    model_config = ConfigDict(from_attributes=True)

    title: str = Field(description="Its first heading, else what it declares; never a number, a date or a file name")
    author: str
    created: str = Field(description="As the file has it, in ISO 8601 where its format says how it is written")
    modified: str
    language: str = Field(description="As declared, a BCP 47 tag")


class DocumentEvent(BaseModel):
    """Comes first: what the file is."""

    event: Literal["document"] = "document"
    media_type: str = Field(description="Found from the content, whatever the file name says")
    file_name: str
    size_bytes: int
    pages_total: int | None = Field(description="Pages, slides, sheets or frames; null where that is not known yet")
    warnings: list[str] = Field(description="Each a stable code, a colon and a sentence")
    properties: PropertiesOut


class WordOut(BaseModel):
    """A word where it stands on the page's picture."""

    text: str
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom, in shares of the picture's width and height"
    )
    confidence: float | None = Field(None, description="0 to 1; null for a text layer")


class PageView(BaseModel):
    """A page as people see it."""

    width: int = Field(description="Pixels")
    height: int
    picture: str = Field(description="JPEG, in base64")
    words: list[WordOut] = Field(description="Those of the text layer; a scan has none here")


class PageEvent(BaseModel):
    """One page; structured formats come as Markdown."""

    event: Literal["page"] = "page"
    number: int = Field(description="Counts from 1")
    label: str = Field(description="What readers call it: a sheet's name, a time, a part of the document; or empty")
    text: str
    engine: str = Field(
        description="llamaparse, text-layer, rapidocr, tesseract, vision, none, plain-text, source-code, subtitles, markdown, or the format"
    )
    confidence: float | None = Field(description="0 to 1; null where the engine has no measure of it")
    warnings: list[str]
    words: list[WordOut] = Field([], description="Given by OCR")


class DoneEvent(BaseModel):
    """Comes last when all pages were read or accounted for."""

    event: Literal["done"] = "done"
    pages: int
    characters: int
    engines: dict[str, int] = Field(description="Pages by engine")
    pages_with_warnings: int
    open_seconds: float
    total_seconds: float


class ErrorEvent(BaseModel):
    """Comes last when the document could not be finished: a problem detail (RFC 9457)."""

    event: Literal["error"] = "error"
    problem: dict[str, Any]


class ProcessedDocument(BaseModel):
    """The whole answer at once."""

    document: DocumentEvent
    pages: list[PageEvent]
    done: DoneEvent


Event = DocumentEvent | PageEvent | DoneEvent

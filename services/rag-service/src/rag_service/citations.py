"""Citations: where in a passage the words stand that a sentence of an answer comes from."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Citation(BaseModel):
    """Where a claim of the answer is borne out; `start` and `end` count characters in the page's text."""

    label: str = Field(description="What stands in brackets in the answer")
    document_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str
    supported: bool = Field(description="Whether the quoted words bear the sentence out; false asks for a look")

"""What goes over the wire: requests, answers, and their limits."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rag_service.citations import Citation
from rag_service.documents import DEFAULT
from rag_service.filters import Filter
from rag_service.tables import GroundingMode, Rating
from service_kit.jobs import JobRow, Row
from service_kit.requests import RequestBody

MAX_QUESTION = 8000
MAX_TEXT = 20_000_000
_GRAPH = (
    "Whether what the collection's graph joins with the question's names is searched too; the service's setting if null"
)
_GROUNDING = "What becomes of sentences that no passage supports: marked, dropped, or no answer at all"


def _shown_whole(name: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise ValueError("has control characters")
    return name


CollectionName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="1 to 63 of a-z, 0-9, '-', '_'", examples=["default"])
]

ExternalId = Annotated[
    str, AfterValidator(_shown_whole), Field(min_length=1, max_length=1000, examples=["handbook/safety.pdf"])
]


def _has_words(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise ValueError("is empty")
    return text


Question = Annotated[
    str,
    Field(max_length=MAX_QUESTION, examples=["What is wrong with pump 2?"]),
    AfterValidator(_has_words),
]


class DocumentOut(Row):
    """A document and how far it is."""

    id: str
    collection: str
    external_id: str | None = Field(
        description="What it is called where it comes from; a file's name if no other was given. Documents of a collection "
        "that have the same are versions of one another"
    )
    version: int = Field(description="Its place among these; of those that are ready, only the highest answers")
    attempts: int = Field(description="How often its reading was begun")
    searchable: bool = Field(
        description="Whether it is found; of a document that is being read, what has been read so far"
    )
    seconds: dict[str, float] = Field(description="How long each stage of its last reading took")
    filename: str
    title: str
    media_type: str
    size: int = Field(description="Bytes")
    sha256: str
    language: str | None = Field(description="ISO 639-1 code; empty if it is unclear, null until the text is read")
    status: Literal["queued", "running", "ready", "failed", "cancelled", "replaced", "deleting"]
    pages: int
    chunks: int
    warnings: list[str]
    error: dict[str, Any] | None = Field(description="Why it failed, as a problem detail")
    properties: dict[str, str] = Field(
        description="What the file says about itself, as far as it does: title, author, created, modified, language"
    )
    job_id: str = Field(description="The newest job for this document")
    updated: datetime


class JobOut(JobRow):
    """An ingestion, or the filling of an index, which is about no one document; totals are null until they are known."""

    document_id: str | None
    collection: str
    pages_done: int
    pages_total: int | None
    chunks_done: int
    chunks_total: int | None
    seconds: dict[str, float] = Field(description="How long each stage has taken, those that have ended")
    eta_seconds: float | None = Field(
        description="How long the stage will take from now, at its speed until now; null if that is not known"
    )


class AddedOut(BaseModel):
    """`new` is false where the same bytes were there already."""

    document: DocumentOut
    job_id: str
    new: bool


class AddedManyOut(BaseModel):
    items: list[AddedOut]


class TextIn(RequestBody):
    """A document as text."""

    text: str = Field(max_length=MAX_TEXT, examples=["Pump 2 leaks at the shaft seal. The seal kit is BW-45-S."])
    title: str = Field(min_length=1, max_length=300, examples=["Pump inspection"])
    collection: CollectionName = DEFAULT
    external_id: ExternalId | None = Field(None, description="A text replaces the one before it that has the same")


class SourcesIn(BaseModel):
    """What the files of a form are called where they come from."""

    external_id: list[ExternalId]


class PageOut(BaseModel):
    """A page's text, in which citations count their characters."""

    model_config = ConfigDict(from_attributes=True)
    number: int
    label: str = Field(description="What readers call the page: a sheet's name, a time of a recording; or empty")
    text: str
    engine: str
    confidence: float | None
    warnings: list[str]


class DeletedOut(BaseModel):
    """How much went."""

    model_config = ConfigDict(from_attributes=True)
    documents: int
    pages: int
    chunks: int
    vectors: int
    files: int


class WordPlaceOut(BaseModel):
    """A word of the page's text where it stands on the page's picture."""

    model_config = ConfigDict(from_attributes=True)
    start: int = Field(description="Counts characters of the page's text")
    end: int
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom, in shares of the picture's width and height"
    )
    confidence: float | None = Field(description="0 to 1; null for a text layer")


class PageLayoutOut(BaseModel):
    width: int = Field(description="Pixels of the picture")
    height: int
    words: list[WordPlaceOut]


class CollectionIn(RequestBody):
    name: CollectionName
    description: str = Field("", max_length=1000)
    grounding: GroundingMode | None = Field(None, description=f"{_GROUNDING}; the service's setting if null")


class CollectionChange(BaseModel):
    """What to change of a collection; what is left out stays."""

    description: str = Field("", max_length=1000)
    grounding: GroundingMode | None = Field(None, description=f"{_GROUNDING}; the service's setting if null")


class IndexOut(BaseModel):
    """A collection's vectors in one embedding space."""

    model_config = ConfigDict(from_attributes=True)
    backend: str | None = Field(description="The backend that makes its vectors")
    model: str
    dimension: int
    status: Literal["filling", "active", "retired"] = Field(
        description="`active` answers, `filling` is being made, `retired` is kept to go back to"
    )
    chunks_done: int = Field(description="Chunks of the collection whose vectors are in it")
    chunks_total: int
    job_id: str | None = Field(description="The newest job that fills it")


class CollectionOut(Row):
    """A collection; `embedding_model` is set by its first document."""

    name: str
    description: str
    documents: int
    grounding: GroundingMode | None
    embedding_model: dict[str, Any] | None


class CollectionDetail(CollectionOut):
    indexes: list[IndexOut] = Field(description="The one that answers comes first")


class SearchIn(RequestBody):
    question: Question
    collection: CollectionName = DEFAULT
    limit: int = Field(10, ge=1, le=100)
    filter: Filter | None = Field(None, description="Which documents are searched; all if not given")
    graph: bool | None = Field(None, description=_GRAPH)


class PassageOut(BaseModel):
    """A passage; `score` means something within one answer only."""

    model_config = ConfigDict(from_attributes=True)
    document_id: str
    title: str
    filename: str
    language: str = Field(description="The document's, ISO 639-1")
    page: int
    start: int
    end: int
    heading: str
    text: str
    score: float
    cosine: float | None
    keyword: float | None


class SearchOut(BaseModel):
    items: list[PassageOut]
    degraded: list[str] = Field(description="Parts of the search that were missing")
    reasons: list[str] = Field([], description="Why they were, in words")
    relevant: bool = Field(True, description="Whether any of them is near enough to the question to be worth an answer")
    seconds: dict[str, float]


class QueryIn(RequestBody):
    question: Question
    collection: CollectionName = DEFAULT
    conversation_id: str | None = Field(None, max_length=64, description="Goes on with a conversation")
    remember: bool = Field(False, description="Begin a conversation; its id is in the answer")
    filter: Filter | None = Field(None, description="Which documents are searched; all if not given")
    graph: bool | None = Field(None, description=_GRAPH)
    top_k: int | None = Field(None, ge=1, le=50)
    max_tokens: int | None = Field(None, ge=16, le=8192)
    temperature: float | None = Field(None, ge=0, le=2, description="Of the sampling; 0.2 if not given")
    grounding: GroundingMode | None = Field(None, description=f"{_GROUNDING}; the collection's mode if null")
    replaces: str | None = Field(
        None, max_length=64, description="The conversation's turn that is asked anew: it and all after it are forgotten"
    )
    detached: bool = Field(
        False,
        description="For event streams of conversations: the answer is made to its end even if its reader goes away; "
        "`GET /v1/conversations/{id}/answer` follows it from its beginning",
    )


class SentenceOut(BaseModel):
    """A sentence of the answer's text; `supported` is null where it claims nothing."""

    model_config = ConfigDict(from_attributes=True)
    start: int
    end: int
    text: str
    supported: bool | None = Field(
        description="Whether its numbers, dates, names and words stand in the quoted passage"
    )
    citations: list[Citation]


class ClosestOut(BaseModel):
    """A document near to a question that has no answer."""

    model_config = ConfigDict(from_attributes=True)
    document_id: str
    title: str
    page: int


class UsageOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    prompt_tokens: int
    completion_tokens: int
    estimated: bool


class SwitchOut(BaseModel):
    """Another engine went on with an answer that one had begun."""

    model_config = ConfigDict(from_attributes=True)
    at: int = Field(description="Characters of the text that came before; 0 if it was begun again")
    from_backend: str
    to_backend: str
    reason: str
    restarted: bool


class AnswerOut(BaseModel):
    """An answer; `answered` is false where the documents do not hold one."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    answered: bool
    citations: list[Citation]
    sentences: list[SentenceOut]
    closest: list[ClosestOut] = Field(description="Where there is no answer: the nearest documents")
    replaced: bool = Field(description="The tokens of the stream are void: what they said is in no document")
    streamed: int = Field(
        description="Characters in the tokens of the stream, by which a reader knows that none is missing"
    )
    finish_reason: Literal["stop", "length", "repetition", "content_filter"]
    conversation_id: str | None = None
    usage: UsageOut
    provider: str
    model: str
    extractive: bool = Field(description="The answer is made of the documents' own sentences")
    calculated: bool = Field(description="No model was asked: the answer was calculated from the rows of a table")
    degraded: list[str]
    warnings: list[str]
    switches: list[SwitchOut] = Field([], description="Where the engine changed within the answer")
    seconds: dict[str, float]


class TurnOut(Row):
    id: str
    role: Literal["user", "assistant"]
    content: str
    citations: list[Citation]
    answer: AnswerOut | None = Field(
        description="The whole answer; null for questions, and for answers of older releases"
    )
    rating: Rating | None
    reason: str


class RatingIn(RequestBody):
    """How good an answer was; null takes an earlier rating back."""

    rating: Rating | None
    reason: str = Field("", max_length=2000, examples=["It names the wrong pump."])


class RatedOut(Row):
    """A rated answer with its question."""

    id: str
    conversation_id: str
    collection: str
    question: str
    answer: str
    rating: Rating
    reason: str


class ConversationIn(RequestBody):
    title: str = Field(min_length=1, max_length=200, examples=["Pump 2"])


class ConversationOut(Row):
    id: str
    collection: str
    title: str


class ConversationDetail(ConversationOut):
    turns: list[TurnOut]
    answering: str | None = Field(description="The question whose detached answer is being made; see `…/answer`")


class ReindexIn(RequestBody):
    collection: CollectionName = DEFAULT
    provider: str | None = Field(
        None, max_length=64, description="The backend whose embeddings to move to; the one in use if not given"
    )


class ReindexOut(BaseModel):
    job_ids: list[str]


class RollbackIn(RequestBody):
    collection: CollectionName = DEFAULT


class RollbackOut(BaseModel):
    """The indexes after the swap, and the job that adds what came since, if anything did."""

    indexes: list[IndexOut]
    job_ids: list[str]


class ParityIn(RequestBody):
    a: str = Field(max_length=64, examples=["ollama"])
    b: str = Field(max_length=64, examples=["vllm"])
    collection: CollectionName | None = Field(None, description="Compare on a sample of its chunks too")


class ParityOut(BaseModel):
    """How alike the embeddings of two backends are; `cosine` is the lowest of any text with itself."""

    a: str
    b: str
    cosine: float
    mean_cosine: float
    rank_agreement: float
    passed: bool = Field(description="Whether one may stand in for the other")
    dimensions: tuple[int, int]
    samples: int = Field(description="Texts compared")
    recorded: bool = Field(description="Kept in a file; otherwise this process alone knows of it, until it ends")

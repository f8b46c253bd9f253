"""The bodies of requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from graph_service.tables import LARGEST_ID
from service_kit.jobs import JobRow, Row, Status
from service_kit.requests import RequestBody

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
EntityId = Annotated[int, Field(ge=1, le=LARGEST_ID)]


def _has_words(text: str) -> str:
    # PostgreSQL takes no NUL.
    text = text.replace("\x00", "").strip()
    if not text:
        raise ValueError("is empty")
    return text


class GraphIn(RequestBody):
    """The collection whose graph is to be built, or brought up to date."""

    collection: CollectionName
    again: bool = Field(False, description="Read all documents again, and not only what has changed")


class MergeIn(RequestBody):
    """Entities of the same type that are one."""

    entities: list[EntityId] = Field(min_length=1, max_length=100)


class SplitIn(RequestBody):
    """The names of an entity that are somebody or something else."""

    names: list[Annotated[str, Field(max_length=300), AfterValidator(_has_words)]] = Field(min_length=1, max_length=100)


class GraphOut(Row):
    """A graph and what it holds; `incomplete` chunks are those of which a model's output was of no use."""

    collection: str
    status: Status = Field(description="That of the newest job")
    job_id: str
    extractor: str = Field(description='What read the newest chunks: "patterns", or an engine and its model')
    documents: int
    chunks: int
    incomplete: int
    dropped: int = Field(description="Mentions that a model gave and the text does not hold")
    entities: int
    relations: int
    updated: datetime


class JobOut(JobRow):
    """A build; `chunks_total` is null until it is known, and grows while documents are added."""

    collection: str
    chunks_done: int
    chunks_total: int | None


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class EntityOut(_FromRow):
    """Somebody or something; `mentions` counts those of the last build."""

    id: int
    collection: str
    type: str
    name: str
    mentions: int


class Evidence(_FromRow):
    """Where it stands: a sentence of a document's page, its span counted in characters of the page's text."""

    document_id: str
    document: str = Field(description="The document's title")
    page: int
    start: int
    end: int
    quote: str


class MentionOut(_FromRow):
    """A name where it stands: `start` to `end` of the page, in the sentence that is quoted."""

    name: str
    start: int
    end: int
    evidence: Evidence


class RelationOut(_FromRow):
    """What a sentence says of two entities; the kind `occurs-with` only that it names both."""

    id: int
    kind: str
    subject: EntityOut
    object: EntityOut
    evidence: Evidence


class EntityDetail(EntityOut):
    """An entity with the ways in which it is named, and its first mentions and relations."""

    aliases: list[str]
    mentioned: list[MentionOut]
    relations: list[RelationOut]


class NeighbourOut(_FromRow):
    """An entity that sentences name together with another; `sentences` counts them."""

    entity: EntityOut
    kinds: list[str]
    sentences: int


class StepOut(_FromRow):
    """One edge of a path, with sentences that say so."""

    source: EntityOut
    target: EntityOut
    relations: list[RelationOut]


class EvidenceIn(RequestBody):
    """A question to the documents of a collection."""

    question: Annotated[
        str, Field(max_length=8000, examples=["What joins Acme with Rotterdam?"]), AfterValidator(_has_words)
    ]
    collection: CollectionName = "default"
    limit: int = Field(20, ge=1, le=100, description="Most sentences")


class ConnectionOut(_FromRow):
    """A sentence that names two entities."""

    entities: tuple[EntityOut, EntityOut]
    steps: int = Field(
        description="0: the question names both; 1: it names one of them; 2: it names what another sentence joins with one"
    )
    score: float = Field(description="0 to 1; means something within one answer only")
    evidence: Evidence


class EvidenceOut(_FromRow):
    """The entities that a question names, and sentences for it, best first."""

    entities: list[EntityOut]
    connections: list[ConnectionOut]


class PathOut(BaseModel):
    """A shortest path; no steps, and `connected` false, if there is none."""

    connected: bool
    steps: list[StepOut]


class NodeOut(_FromRow):
    """An entity of a neighbourhood, so many steps away from the one in the middle."""

    entity: EntityOut
    steps: int


class EdgeOut(_FromRow):
    """Two entities that sentences name together; `sentences` counts them, and one is the evidence."""

    source: int
    target: int
    kinds: list[str]
    sentences: int
    evidence: Evidence


class NeighbourhoodOut(_FromRow):
    """An entity, those around it, and the edges among all of them."""

    nodes: list[NodeOut]
    edges: list[EdgeOut] = Field(description="600 at most: those of the middle and of most sentences first")
    complete: bool = Field(description="Whether no direct neighbour was left out")


class CommunityOut(_FromRow):
    """Entities that sentences name together more than with others: how many, and those that are mentioned most."""

    size: int
    entities: list[EntityOut]

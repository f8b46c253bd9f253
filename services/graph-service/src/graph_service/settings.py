"""The graph-service's settings; upper-case field names are its environment variables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service_kit.settings import ServiceSettings


class GraphSettings(ServiceSettings):
    """Settings of the graph-service."""

    graph_database_url: str | None = Field(
        None, description="SQL database of the graphs, may be the same as DATABASE_URL; SQLite in DATA_DIR if not set"
    )
    rag_service_url: str = Field("http://localhost:8001", description="Where the rag-service listens")
    graph_types: str = Field(
        "person,organisation,place,product,law,event,other",
        pattern=r"^[a-z][a-z-]{0,29}(, ?[a-z][a-z-]{0,29}){0,39}$",
        description="Types of entities, comma-separated; dates, amounts, codes and addresses are always found",
    )
    graph_relations: str = Field(
        "works-for,leads,member-of,founded,owns,part-of,located-in,supplies,took-part-in,related-to",
        pattern=r"^[a-z][a-z-]{0,29}(, ?[a-z][a-z-]{0,29}){0,39}$",
        description="Kinds of relations that the text model may give, comma-separated",
    )
    graph_extraction: Literal["model", "patterns"] = Field(
        "model",
        description="What reads documents: the text model where there is one, or patterns, which cost no tokens",
    )
    graph_answer_tokens: int = Field(2000, ge=256, description="Longest answer of the model on one chunk")
    graph_timeout_seconds: float = Field(120, gt=0, description="Time budget of one chunk")
    graph_attempts: int = Field(
        3, ge=1, le=20, description="Attempts at a chunk that does not fit its time budget; then patterns read it"
    )
    graph_chunk_characters: int = Field(
        3000, ge=500, le=50_000, description="Longest stretch of a page that is read for entities at once"
    )
    graph_chunks_in_flight: int = Field(
        12, ge=1, le=256, description="Chunks of one graph that are read at the same time"
    )
    graph_follow_seconds: float = Field(
        60, ge=0, description="How often graphs are compared with their collections, which begins a build; 0: never"
    )
    graph_concurrency: int = Field(1, ge=1, le=16, description="Graphs built at the same time")

    @property
    def types(self) -> tuple[str, ...]:
        """The types that names have."""
        return tuple(type_.strip() for type_ in self.graph_types.split(","))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that relations have."""
        return tuple(kind.strip() for kind in self.graph_relations.split(","))

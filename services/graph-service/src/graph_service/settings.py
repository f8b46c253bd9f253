"""The graph-service's settings; upper-case field names are its environment variables."""

from __future__ import annotations

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
    graph_chunk_characters: int = Field(
        3000, ge=500, le=50_000, description="Longest stretch of a page that is read for entities at once"
    )
    graph_chunks_in_flight: int = Field(
        12, ge=1, le=256, description="Chunks of one graph that are read at the same time"
    )
    graph_concurrency: int = Field(1, ge=1, le=16, description="Graphs built at the same time")

    @property
    def types(self) -> tuple[str, ...]:
        """The types that names have."""
        return tuple(type_.strip() for type_ in self.graph_types.split(","))

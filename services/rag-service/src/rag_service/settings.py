"""The rag-service's settings; upper-case field names are its environment variables."""

from __future__ import annotations

from pydantic import Field

from rag_service.tables import GroundingMode
from service_kit.oidc import OidcSettings
from service_kit.output_guard import OutputGuardSettings
from service_kit.settings import ServiceSettings


class RagSettings(ServiceSettings, OutputGuardSettings, OidcSettings):
    """Settings of the rag-service."""

    database_url: str | None = Field(
        None,
        description="SQL database with rows and jobs, postgresql://USER:PASSWORD@HOST/NAME; SQLite in DATA_DIR if not set",
    )
    chroma_url: str | None = Field(
        None, description="Chroma server, http://HOST:8000; in-process in DATA_DIR if not set (one process only)"
    )
    graph_service_url: str | None = Field(
        None,
        description="Where the graph-service listens, such as http://localhost:8004; no graph is searched if not set",
    )
    doc_processor_url: str = Field("http://localhost:8003", description="Where the doc-processor listens")
    chunk_tokens: int = Field(288, ge=64, le=400, description="Size of a chunk; title and heading come on top")
    chunk_overlap_tokens: int = Field(32, ge=0, le=128, description="Tokens that neighbouring chunks share")
    top_k: int = Field(6, ge=1, le=50, description="Passages handed to the model")
    candidates: int = Field(50, ge=10, le=500, description="Chunks taken from each search before they are fused")
    rerank_top: int = Field(
        12,
        ge=0,
        le=100,
        description="Chunks re-ranked where a reranker is there (by one that reads the texts: where the first place is unsure); 0 for none",
    )
    query_wordings: int = Field(
        3,
        ge=0,
        le=5,
        description="Other wordings of a question, written by the model where the search is unsure; 0 for none",
    )
    graph_search: bool = Field(
        True, description="Search the collection's graph too, if it has one, for questions that do not say whether to"
    )
    grounding: GroundingMode = Field(
        "mark",
        description="Sentences of an answer that no passage supports: marked, dropped, or the answer is refused",
    )
    max_answer_tokens: int = Field(800, ge=16, description="Longest answer")
    query_timeout_seconds: float = Field(
        120, gt=0, description="Time budget of one question, from retrieval to last token"
    )
    ingest_concurrency: int = Field(2, ge=1, le=16, description="Documents ingested at the same time")

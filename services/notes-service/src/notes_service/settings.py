"""The notes-service's settings; upper-case field names are its environment variables."""

from __future__ import annotations

from pydantic import Field

from service_kit.output_guard import OutputGuardSettings
from service_kit.settings import ServiceSettings


class NotesSettings(ServiceSettings, OutputGuardSettings):
    """Settings of the notes-service."""

    notes_database_url: str | None = Field(
        None, description="SQL database of the notes, may be the same as DATABASE_URL; SQLite in DATA_DIR if not set"
    )
    doc_processor_url: str = Field("http://localhost:8003", description="Where the doc-processor listens")
    note_part_tokens: int = Field(6000, ge=256, description="Longest part of a text that the model reads at once")
    note_answer_tokens: int = Field(2000, ge=128, description="Longest note of one part")
    note_timeout_seconds: float = Field(300, gt=0, description="Time budget of one part, repair included")
    note_attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="Attempts at a part that does not fit its time budget; then what was generated is kept",
    )
    note_concurrency: int = Field(2, ge=1, le=16, description="Notes made at the same time")

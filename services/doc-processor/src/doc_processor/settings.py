"""The doc-processor's settings; upper-case field names are its environment variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from service_kit.settings import ServiceSettings


class DocProcessorSettings(ServiceSettings):
    """Settings of the doc-processor."""

    ocr_languages: str = Field(
        "eng",
        pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$",
        description="Languages of scans, as Tesseract names them, such as eng or eng+nld",
    )
    max_pages: int = Field(5000, ge=1, description="Pages, slides, sheets or frames of one document; more is refused")
    max_image_megapixels: int = Field(100, ge=1, description="Largest picture that is decoded; JPEGs may be 4 times it")
    render_dpi: int = Field(300, ge=72, le=600, description="Resolution at which pages are rendered for OCR")
    ocr_workers: int | None = Field(
        None, ge=1, le=256, description="Pages read side by side; as many as cores if unset"
    )
    worker_memory_mb: int = Field(1024, ge=256, description="Address space of one worker process")
    worker_idle_seconds: float = Field(60, gt=0, description="After how long without work a worker process is stopped")
    page_timeout_seconds: float = Field(
        50, ge=5, description="Longest time for one page, without waits for a processor; it then gets a warning"
    )
    document_timeout_seconds: float = Field(3600, gt=0, description="Longest time for one document")
    vision_below_confidence: float = Field(
        0.6, ge=0, le=1, description="Pages whose OCR is less sure than this go to the vision model, where there is one"
    )
    vision_timeout_seconds: float = Field(120, gt=0, description="Longest time the vision model may take for one page")
    vision_figures: int = Field(
        20, ge=0, description="Pictures within a document that the vision model describes, where there is one"
    )
    hidden_text: Literal["drop", "keep"] = Field(
        "drop", description="Text that readers of a document cannot see: drop leaves it out, keep marks it"
    )
    llama_cloud_api_key: SecretStr | None = Field(
        None,
        description="A key of LlamaCloud, whose LlamaParse then reads documents first, if LLAMAPARSE_CONSENT is true",
    )
    llamaparse_consent: bool = Field(False, description="Documents may be sent to LlamaParse: they leave this machine")
    llama_cloud_base_url: str = Field(
        "https://api.cloud.llamaindex.ai", pattern=r"^https?://[^/?#@\s]+", description="Where LlamaCloud is"
    )
    llamaparse_tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] = Field(
        "cost_effective", description="What LlamaParse does for a page, and what it costs"
    )
    llamaparse_pages_a_day: int = Field(
        500, ge=1, description="Pages a day (UTC) that may be sent to LlamaParse; documents beyond are read here"
    )
    llamaparse_timeout_seconds: float = Field(
        240, ge=1, le=240, description="Longest time LlamaParse may take for a document, which is then read here"
    )
    work_dir: Path | None = Field(None, description="Where uploads lie while they are read; the system's if unset")

    @property
    def workers(self) -> int:
        """One per core that this process may use: a page keeps one core busy."""
        return self.ocr_workers or len(os.sched_getaffinity(0))

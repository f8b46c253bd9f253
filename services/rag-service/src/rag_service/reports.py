"""Reports on engines that were compared and migrated, as pages that admins open in a browser."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from llm_providers.files import SharedFile
from service_kit.errors import NotFound
from service_kit.ids import new_id
from service_kit.jobs import now
from service_kit.requests import RequestBody

MAX_HTML = 5_000_000
_KEPT = 100
_ID = re.compile(r"report_[0-9a-f]{28}")


class ReportIn(RequestBody):
    """A report to keep."""

    kind: Literal["comparison", "migration"]
    title: str = Field(min_length=1, max_length=300, examples=["text: from ollama to vllm"])
    html: str = Field(min_length=1, max_length=MAX_HTML, description="A page that needs no script and loads nothing")


class ReportOut(BaseModel):
    id: str
    kind: Literal["comparison", "migration"]
    title: str
    created: datetime


class Reports:
    """Reports in one folder, the newest 100; all methods block.

    A report is there when its description is, which is written after its page.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, given: ReportIn) -> ReportOut:
        """Store a report; the oldest ones beyond 100 are deleted."""
        report = ReportOut(id=new_id("report"), kind=given.kind, title=given.title, created=now())
        with SharedFile(self._folder / "reports").locked():
            SharedFile(self._page(report.id), 0o600).write(given.html)
            SharedFile(self._description(report.id), 0o600).write(report.model_dump_json())
            for old in self._ids()[_KEPT:]:
                self._delete(old)
        return report

    def all(self) -> list[ReportOut]:
        """Return all, the newest first."""
        return [ReportOut.model_validate_json(self._description(each).read_text()) for each in self._ids()]

    def page(self, identity: str) -> str:
        """Return the page of a report; raises `NotFound`."""
        self._require(identity)
        return self._page(identity).read_text()

    def delete(self, identity: str) -> None:
        """Delete a report; raises `NotFound`."""
        self._require(identity)
        self._delete(identity)

    def _ids(self) -> list[str]:
        """Return the ids, which sort by time, the newest first."""
        return sorted((path.stem for path in self._folder.glob("report_*.json")), reverse=True)

    def _require(self, identity: str) -> None:
        if not (_ID.fullmatch(identity) and self._description(identity).exists()):
            raise NotFound(f"there is no report {identity!r}")

    def _delete(self, identity: str) -> None:
        self._description(identity).unlink(missing_ok=True)
        self._page(identity).unlink(missing_ok=True)

    def _page(self, identity: str) -> Path:
        return self._folder / f"{identity}.html"

    def _description(self, identity: str) -> Path:
        return self._folder / f"{identity}.json"

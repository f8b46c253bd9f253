"""What the routes find on `app.state`, by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from rag_service.conversations import Conversations
from rag_service.documents import Documents
from rag_service.index_build import IndexBuild
from rag_service.live import LiveAnswers
from rag_service.page_views import PageViews
from rag_service.parity import ParityTest
from rag_service.questions import Questions
from rag_service.reports import Reports
from rag_service.retrieval import Retriever
from rag_service.settings import RagSettings
from rag_service.tables import Job
from service_kit.jobs import Jobs
from service_kit.originals import Originals


@dataclass(frozen=True, slots=True)
class RagState:
    settings: RagSettings
    documents: Documents
    originals: Originals
    jobs: Jobs[Job]
    retriever: Retriever
    questions: Questions
    conversations: Conversations
    live: LiveAnswers
    views: PageViews
    index_build: IndexBuild
    parity: ParityTest
    reports: Reports


async def _state(request: Request) -> RagState:
    state: RagState = request.app.state.rag
    return state


Rag = Annotated[RagState, Depends(_state)]

"""What the routes find on `app.state`, by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from rag_service.answering import Answerer
from rag_service.comparing import Comparer
from rag_service.conversations import Conversations
from rag_service.documents import Documents
from rag_service.reindex import Reindexer
from rag_service.retrieval import Retriever
from rag_service.settings import RagSettings
from rag_service.spaces import Spaces
from rag_service.tables import Job
from service_kit.jobs import Jobs
from service_kit.originals import Originals


@dataclass(frozen=True, slots=True)
class State:
    settings: RagSettings
    documents: Documents
    originals: Originals
    jobs: Jobs[Job]
    retriever: Retriever
    answerer: Answerer
    conversations: Conversations
    reindexer: Reindexer
    spaces: Spaces
    comparer: Comparer


async def _state(request: Request) -> State:
    state: State = request.app.state.rag
    return state


Rag = Annotated[State, Depends(_state)]

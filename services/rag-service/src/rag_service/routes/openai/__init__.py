"""OpenAI's wire format (https://platform.openai.com/docs/api-reference): chat completions, embeddings, models.

A model is a collection, or one of the two names in `models`. What the format has no place for goes into the extra
member `switchyard`: of the answer, or of a stream's last chunk.
"""

from fastapi import APIRouter

from rag_service.routes.openai import completions, embeddings, models

router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])
for part in (models, completions, embeddings):
    router.include_router(part.router)

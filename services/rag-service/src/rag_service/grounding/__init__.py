"""Whether the documents say what an answer says: each sentence is attributed to passages by us, not by the model."""

from __future__ import annotations

from rag_service.grounding.answer import GroundedAnswer, GroundedSentence, Grounding, ground

__all__ = ["GroundedAnswer", "GroundedSentence", "Grounding", "ground"]

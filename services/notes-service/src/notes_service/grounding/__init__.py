"""What a text bears out of a model's draft: every point is checked by us against the words that it quotes."""

from __future__ import annotations

from notes_service.grounding.content import Action, Content, Point, Span
from notes_service.grounding.drafts import Grounded, borne_out, ground, merge

__all__ = ["Action", "Content", "Grounded", "Point", "Span", "borne_out", "ground", "merge"]

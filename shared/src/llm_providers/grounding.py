"""What a model and its caller agree on when answers must come from sources."""

from __future__ import annotations

NO_ANSWER = "NOT_FOUND"
"""The whole answer of a model whose sources do not hold one."""

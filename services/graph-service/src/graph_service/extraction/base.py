"""What an extractor reads and what it finds; spans are characters of the passage's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from graph_service.extraction.gazetteer import Gazetteer

OCCURS_WITH = "occurs-with"
"""The kind of a relation between two names that stand in one sentence, where nothing else is known of it."""
LITERALS = frozenset({"date", "amount", "code", "email", "url"})
"""Types whose entities are values: they have one spelling, and connect nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a page, which begins at `start` there; `gazetteer` is what is known of the names around it."""

    chunk_id: int
    document_id: str
    title: str
    page: int
    start: int
    text: str
    gazetteer: Gazetteer


@dataclass(frozen=True, slots=True)
class Found:
    """A mention; all spellings of one name have the same `key`."""

    start: int
    end: int
    type: str
    key: str


@dataclass(frozen=True, slots=True)
class Related:
    """A relation of two mentions of one sentence, by their places in the list of mentions."""

    subject: int
    object: int
    kind: str = OCCURS_WITH


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found in a passage; `dropped` counts what a model said that the text does not hold.

    `by` names the extractor; `failed`: nothing usable came of this passage.
    """

    mentions: tuple[Found, ...]
    relations: tuple[Related, ...]
    by: str
    dropped: int = 0
    failed: bool = False


class Extractor(Protocol):
    async def extract(self, passage: Passage) -> Extraction:
        """Return what is in the passage; raises what the provider does."""

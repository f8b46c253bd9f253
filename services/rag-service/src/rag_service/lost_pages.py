"""Pages whose worker crashed or hung: named among the document's warnings, and read again by a job of their own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import Document, PageText

KIND = "reread"
"""The kind of these jobs; their document stays as it is, and gains the pages."""
_CODE = "page-failed:"
_MOST_NAMED = 20


async def lost_pages(session: AsyncSession, document: Document) -> list[int]:
    """Return the numbers of the document's pages that were lost."""
    unread = select(PageText.number, PageText.warnings).where(
        PageText.document_id == document.id, PageText.engine == "none"
    )
    rows = await session.execute(unread.order_by(PageText.number))
    return [row.number for row in rows if any(words.startswith(_CODE) for words in row.warnings)]


def naming(warnings: Sequence[str], lost: Sequence[int]) -> list[str]:
    """Return a document's warnings with the one about its `lost` pages, in place of an older one."""
    others = [words for words in warnings if not words.startswith(_CODE)]
    if not lost:
        return others
    named = ", ".join(map(str, lost[:_MOST_NAMED])) + (
        f" and {len(lost) - _MOST_NAMED} more" * (len(lost) > _MOST_NAMED)
    )
    pages = "page" if len(lost) == 1 else "pages"
    return [
        *others,
        f"{_CODE} {pages} {named}: not read, the parser crashed or took too long; a retry reads them again",
    ]

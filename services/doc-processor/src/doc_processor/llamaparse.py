"""LlamaParse, the hosted parser: documents leave this machine for it, so it is asked only with a key and with consent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import structlog

from doc_processor.page_budget import PageBudget
from doc_processor.page_reader import UploadedFile
from doc_processor.parsers.base import ParsedPage, ParseWarning
from doc_processor.sniff import JPEG, PDF, PNG, PPTX, TIFF, WEBP
from doc_processor.text import tidy

if TYPE_CHECKING:
    from llama_cloud import AsyncLlamaCloud

log = structlog.get_logger(__name__)

# Formats whose pages are fixed in the file, so that its pages are ours. All others say themselves what they hold.
_SENT_AS = {PDF: "pdf", PNG: "png", JPEG: "jpg", TIFF: "tiff", WEBP: "webp", PPTX: "pptx"}
_REFUSED = {
    401: "it does not accept the key",
    402: "the account has no credits left",
    403: "the key may not do this",
    413: "the file is too large for it",
    429: "it has too many requests of this account",
}
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0
_MOST_FAILURES = 3
"""Answers in a row that may fail while a job runs, which is paid for already."""
_TIDY_SECONDS = 10.0


class LlamaParseFailed(Exception):
    """It gave no usable text; the message says why, in words for the document's warnings."""


class LlamaParseRefused(LlamaParseFailed):
    """It answered that it does not do what was asked for."""


@dataclass(frozen=True, slots=True)
class HostedPages:
    """Pages by number, as far as they were read, and what the document's reader should know."""

    pages: Mapping[int, ParsedPage]
    warnings: tuple[ParseWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class LlamaParse:
    """Reads whole documents by the hosted parser, of the given `tier`, within `seconds` and a `budget` of pages a day."""

    client: AsyncLlamaCloud
    budget: PageBudget
    tier: str
    seconds: float

    @property
    def host(self) -> str:
        return urlsplit(str(self.client.base_url)).hostname or ""

    def report(self) -> dict[str, Any]:
        """Describe it for `/health`."""
        return {
            "host": self.host,
            "tier": self.tier,
            "documents_leave_this_machine": True,
            "pages_today": self.budget.used(),
            "pages_a_day": self.budget.most,
        }

    async def read(self, source: UploadedFile, pages: Sequence[int]) -> HostedPages:
        """Read the given pages; whatever fails is a warning, and leaves pages to be read here."""
        if source.media_type not in _SENT_AS or not pages:
            return HostedPages({})
        if not await asyncio.to_thread(self.budget.take, len(pages)):
            detail = (
                f"the document was read here: LLAMAPARSE_PAGES_A_DAY ({self.budget.most}) leaves no room for it today"
            )
            return HostedPages({}, (ParseWarning("llamaparse-skipped", detail),))
        try:
            async with asyncio.timeout(self.seconds):
                return await self._read(source, pages)
        except TimeoutError:
            why = f"it was not done within {self.seconds:g} s"
        except LlamaParseFailed as failure:
            why = str(failure)
        log.warning("llamaparse failed", why=why, media_type=source.media_type, pages=len(pages))
        detail = f"the document was sent to {self.host}, and then read here: {why}"
        return HostedPages({}, (ParseWarning("llamaparse-failed", detail),))

    async def _read(self, source: UploadedFile, pages: Sequence[int]) -> HostedPages:
        async with self._job(source, pages) as job:
            found = dict(_pages(await self._finished(job)))
        if set(found) != set(pages):
            raise LlamaParseFailed(f"it returned {len(found)} pages, not the {len(pages)} that were asked for")
        read = {number: page for number, page in found.items() if page is not None}
        notes = [ParseWarning("sent-to-llamaparse", f"the document was sent to {self.host}, which read it")]
        if missing := len(found) - len(read):
            notes.append(ParseWarning("llamaparse-failed", f"{missing} pages of which it gave no text were read here"))
        return HostedPages(read, tuple(notes))

    @asynccontextmanager
    async def _job(self, source: UploadedFile, pages: Sequence[int]) -> AsyncGenerator[str, None]:
        """Start a job, and at the end remove it there, with the document."""
        # Not under its own name, which may be confidential.
        name = f"document.{_SENT_AS[source.media_type]}"
        data = await asyncio.to_thread(source.path.read_bytes)
        try:
            async with _said_in_words():
                job = await self.client.parsing.create(
                    tier=self.tier,
                    version="latest",
                    upload_file=(name, data, source.media_type),
                    page_ranges={"target_pages": f"{pages[0]}-{pages[-1]}"},
                    disable_cache=True,
                )
        except LlamaParseRefused:
            # Nothing was begun, so nothing is paid for.
            await asyncio.to_thread(self.budget.give_back, len(pages))
            raise
        if not isinstance(job.id, str) or not job.id:
            raise LlamaParseFailed("its answer is not a job")
        try:
            yield job.id
        finally:
            with anyio.CancelScope(shield=True):
                await self._remove(job.id)

    async def _remove(self, job: str) -> None:
        with suppress(TimeoutError, LlamaParseFailed):
            async with asyncio.timeout(_TIDY_SECONDS):
                # One that has ended cannot be cancelled, one that runs cannot be deleted.
                with suppress(LlamaParseFailed):
                    async with _said_in_words():
                        await self.client.parsing.cancel(job)
                async with _said_in_words():
                    await self.client.parsing.delete(job)

    async def _finished(self, job: str) -> Any:
        """Wait for the end of a job, and return its answer; the caller watches the clock."""
        wait, failures = _FIRST_WAIT, 0
        while True:
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)
            try:
                async with _said_in_words():
                    answer = await self.client.parsing.get(job, expand=["markdown"])
            except LlamaParseFailed:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
                continue
            failures = 0
            status = getattr(getattr(answer, "job", None), "status", None)
            if status == "COMPLETED":
                return answer
            if status not in ("PENDING", "RUNNING"):
                raise LlamaParseFailed("its job failed")


def _pages(answer: Any) -> list[tuple[int, ParsedPage | None]]:
    """Return the pages by number, None for those without text; what comes is checked here, because the SDK does not."""
    found = []
    for page in getattr(getattr(answer, "markdown", None), "pages", None) or ():
        number, text = getattr(page, "page_number", None), getattr(page, "markdown", None)
        if not isinstance(number, int):
            raise LlamaParseFailed("its answer is not a list of pages")
        text = tidy(text) if getattr(page, "success", None) is True and isinstance(text, str) else ""
        found.append((number, ParsedPage(text, "llamaparse") if text else None))
    return found


@asynccontextmanager
async def _said_in_words() -> AsyncGenerator[None, None]:
    """Raise `LlamaParseFailed` for what the SDK raises; none of what a server says is passed on."""
    from llama_cloud import APIConnectionError, APIError, APIStatusError

    try:
        yield
    except APIStatusError as error:
        why = _REFUSED.get(error.status_code, f"it answered {error.status_code}")
        raise LlamaParseRefused(why) from error
    except APIConnectionError as error:
        raise LlamaParseFailed("the connection failed") from error
    except (APIError, ValueError, TypeError, AttributeError) as error:
        raise LlamaParseFailed("its answer cannot be read") from error

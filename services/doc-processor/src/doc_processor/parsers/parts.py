"""A document of several: what came with it is read by its own parser, and its pages follow, each under its part's name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from doc_processor import markdown
from doc_processor.figures import Illustrated
from doc_processor.parsers.base import (
    Opened,
    PageView,
    ParsedPage,
    ParseLimits,
    ParseWarning,
    Properties,
    Renderable,
    Upload,
)
from doc_processor.refusals import NoPicture, Refusal, Unsupported
from doc_processor.sniff import PLAIN, has_text_name, sniff
from doc_processor.text import clean

if TYPE_CHECKING:
    from PIL.Image import Image

_LONGEST_NAME = 80


class Parts:
    """Pages of a main document, then those of its parts; closing it closes them all."""

    def __init__(
        self, main: Opened, folder: Path, limits: ParseLimits, open_as: Callable[[str, Upload, ParseLimits], Opened]
    ) -> None:
        self._limits = replace(limits, depth=limits.depth - 1)
        self._most = limits.max_pages
        self._open_as = open_as
        # Beside the upload, with which it goes even if this process is killed.
        self._folder = Path(tempfile.mkdtemp(prefix="parts-", dir=folder))
        self._opened: list[Opened] = [main]
        self.own_pages = main.pages
        self._pages: list[tuple[Opened, int, str]] = [(main, number, "") for number in range(1, main.pages + 1)]
        self.warnings: tuple[ParseWarning, ...] = main.warnings
        self.properties: Properties = main.properties

    def add(self, name: str, kind: str, data: bytes, without: Collection[str] = ()) -> str:
        """Read a part, and return "", or why it is not read, as types in `without`; its pages follow those that are there."""
        name = shown(name)
        if self._limits.depth < 0:
            return self._not_read(name, kind, "it is nested too deeply")
        path = self._folder / f"{len(self._opened)}"
        path.write_bytes(data)
        upload = Upload(path, name, kind)
        try:
            sniffed = sniff(upload)
            if sniffed.media_type == PLAIN and not kind.startswith("text/") and not has_text_name(name):
                raise Unsupported("files of this type are not read")
            if sniffed.media_type in without:
                raise Unsupported("attached pictures and code are not read")
            part = self._open_as(sniffed.media_type, upload, self._limits)
        except Refusal as refusal:
            path.unlink()
            return self._not_read(name, kind, str(refusal))
        self._opened.append(part)
        if len(self._pages) + part.pages > self._most:
            return self._not_read(name, kind, f"with it the document has more than {self._most} pages")
        self._pages += [(part, number, name) for number in range(1, part.pages + 1)]
        notes = (*sniffed.warnings, *part.warnings)
        self.warnings += tuple(ParseWarning(note.code, f"{name}: {note.detail}") for note in notes)
        return ""

    def _not_read(self, name: str, kind: str, why: str) -> str:
        self.warnings += (
            ParseWarning(
                "attachment-not-read", f"{name or 'a part without a name'}{f' ({kind})' if kind else ''}: {why}"
            ),
        )
        return why

    @property
    def pages(self) -> int:
        return len(self._pages)

    def page(self, number: int) -> ParsedPage:
        part, inner, name = self._pages[number - 1]
        page = part.page(inner)
        if not name:
            return page
        label = f"{name}: {page.label}" if page.label else name
        if page.wants_ocr or not page.text:
            return replace(page, label=label)
        return replace(page, text=f"{markdown.heading(f'Attachment: {name}', 2)}\n\n{page.text}", label=label)

    def render(self, number: int) -> Image:
        part, inner = self._renderable(number)
        return part.render(inner)

    def view(self, number: int, width: int) -> PageView:
        part, inner = self._renderable(number)
        return part.view(inner, width)

    def figures(self, number: int) -> Sequence[Image]:
        part, inner, _ = self._pages[number - 1]
        return part.figures(inner) if isinstance(part, Illustrated) else ()

    def _renderable(self, number: int) -> tuple[Renderable, int]:
        part, inner, _ = self._pages[number - 1]
        if not isinstance(part, Renderable):
            raise NoPicture("pages of this format have no picture")
        return part, inner

    def close(self) -> None:
        for part in self._opened:
            part.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def shown(name: str) -> str:
    """Return a part's name as it may stand in a text: one line of bounded length."""
    return markdown.one_line(clean(name))[:_LONGEST_NAME]

"""The types that every parser takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from doc_processor.figures import decoded

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ParseWarning:
    """A warning for the caller: a stable code, and a sentence that holds none of the document's text."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class PageWord:
    """A word where it stands on the page's picture: left, top, right, bottom in shares of its width and height."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page as read; `confidence` is 0 to 1, or None where the engine has none.

    `wants_ocr` says that the text is missing or not to be trusted, and the page's image should be read instead. `words` are
    given by OCR; those of a text layer are found again when the page is looked at. `label` is
    what readers call the page where it is more than a number: a sheet's name, the time at which a recording's page begins.
    """

    text: str
    engine: str
    confidence: float | None = None
    warnings: tuple[ParseWarning, ...] = ()
    wants_ocr: bool = False
    words: tuple[PageWord, ...] = ()
    label: str = ""
    figures: int = 0
    """Pictures on it that are worth describing; counted only where `ParseLimits.figures` asks for it."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a file says about itself; all of it may be missing. Times are in ISO 8601, the language is a BCP 47 tag."""

    title: str = ""
    author: str = ""
    created: str = ""
    modified: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """The limits of one document; `depth` is how deep documents within documents are read."""

    max_pages: int = 5000
    max_image_pixels: int = 100_000_000
    max_unpacked_bytes: int = 256_000_000
    max_ratio: int = 200
    max_table_cells: int = 1_000_000
    render_dpi: int = 300
    ocr_languages: str = "eng"
    ocr_seconds: float = 40.0
    hidden_text: str = "drop"
    figures: bool = False
    """Pictures will be described, so that a parser need not name them as not read."""
    depth: int = 3


@dataclass(frozen=True, slots=True)
class Upload:
    """The file as it was sent; `name` and `declared` (a media type) only tell text formats apart."""

    path: Path
    name: str = ""
    declared: str = ""


class Opened(Protocol):
    """An opened document; pages count from 1."""

    @property
    def pages(self) -> int: ...

    @property
    def warnings(self) -> tuple[ParseWarning, ...]: ...

    @property
    def properties(self) -> Properties: ...

    def page(self, number: int) -> ParsedPage: ...

    def close(self) -> None: ...


@runtime_checkable
class Renderable(Protocol):
    """A document whose pages can be rendered as images."""

    def render(self, number: int) -> Image:
        """Return the page as an upright-as-stored picture of bounded size."""
        ...

    def view(self, number: int, width: int) -> PageView:
        """Return the page as people see it, `width` pixels wide or less, with the words of its text layer."""
        ...


class RenderablePages(Opened, Renderable, Protocol):
    """An opened document whose pages can be rendered."""


@dataclass(frozen=True, slots=True)
class PageView:
    """A picture of a page for people, in colour, and the words of its text layer."""

    image: Image
    words: list[PageWord]


Parser = Callable[[Upload, ParseLimits], Opened]


@dataclass(slots=True)
class ReadyPages:
    """A document whose pages were all read when it was opened."""

    texts: list[ParsedPage]
    warnings: tuple[ParseWarning, ...] = field(default=())
    properties: Properties = field(default_factory=Properties)
    pictures: Mapping[int, Sequence[bytes]] = field(default_factory=dict)
    """Files of those that are worth describing, by page."""

    @property
    def pages(self) -> int:
        return len(self.texts)

    def page(self, number: int) -> ParsedPage:
        return self.texts[number - 1]

    def figures(self, number: int) -> Sequence[Image]:
        return decoded(self.pictures.get(number, ()))

    def close(self) -> None:
        self.texts = []

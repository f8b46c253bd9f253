"""Text recognition: line by line where that is installed and reads the script, else by Tesseract in several attempts."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from PIL import ImageFilter

from doc_processor.ocr import preparation, rapid, tesseract
from doc_processor.ocr.placement import Placed
from doc_processor.ocr.scripts import languages_of
from doc_processor.ocr.words import OcrFailed, Word, in_lines
from doc_processor.parsers.base import PageWord, ParsedPage, ParseLimits, ParseWarning
from doc_processor.refusals import OcrUnavailable
from doc_processor.text import tidy

if TYPE_CHECKING:
    from PIL.Image import Image

# Line finding works best on words about this many pixels high, and noise matters less a little below it.
_HEIGHT, _LOW_HEIGHT = 34.0, 26.0
_GOOD_HEIGHT = (24.0, 46.0)
_WIDEST_SCALE = 4.0
_SURE = 90.0  # per cent: books and office print lie above, receipts and photographs below
_DOUBTFUL = 65.0
_UPRIGHT = 0.85
"""Scores of lines that are read the right way round lie above, of those upside down below."""
_FEW_LETTERS = 20
_SPECK = 60.0  # punctuation that is less sure than this is dirt on the paper
_ORIENTATION_SURE = 1.0
_SCRIPT_SURE = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One attempt at a page: the words in a picture of it."""

    words: list[Word]
    page: Placed
    engine: str = "tesseract"
    script: str = ""
    """The page's script, if no language of it can be read."""

    @property
    def letters(self) -> int:
        return sum(word.letters for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean over letters, 0 to 100."""
        return sum(word.confidence * word.letters for word in self.words) / max(1, self.letters)

    @property
    def merit(self) -> float:
        """Letters that are more likely right than wrong count for a reading, the others against it."""
        return sum((word.confidence - 50) * word.letters for word in self.words)

    def placed(self, word: Word) -> PageWord:
        return PageWord(word.text, self.page.box(word.box), round(word.confidence / 100, 2))

    @property
    def height(self) -> float | None:
        heights = [word.height for word in self.words if word.confidence > 30]
        return median(heights) if heights else None


class PageRecognition:
    """The recognition of one page's picture within a budget of seconds of CPU."""

    def __init__(self, page: Placed, languages: str, seconds: float) -> None:
        self._page = page
        self._languages = languages
        self._until = _cpu_seconds() + seconds
        self.notes: tuple[ParseWarning, ...] = ()

    @property
    def _left(self) -> float:
        return self._until - _cpu_seconds()

    def read(self) -> Reading:
        """Return the best reading; raises `OcrFailed` if every attempt failed."""
        found: list[Reading] = []
        if rapid.reads(self._languages) and self._left > 0:
            try:
                found.append(self._by_lines())
            except OcrFailed as error:
                self.notes += (ParseWarning("ocr-fallback", f"{error}; the page was read by Tesseract"),)
        if not found or found[0].confidence < _SURE or found[0].letters < _FEW_LETTERS:
            self._page = preparation.prepare(self._page)
            try:
                found.append(self._by_tesseract())
            except (OcrFailed, OcrUnavailable):
                if not found:
                    raise
        best = max(found, key=lambda reading: reading.merit)
        return best if best.confidence >= _SURE and best.letters >= _FEW_LETTERS else self._in_its_script(best)

    def _in_its_script(self, best: Reading) -> Reading:
        """Read a page of another script than that of the set languages, in languages of it that are installed."""
        script, confidence = tesseract.script(self._page.image, self._left)
        languages = languages_of(script)
        if not languages or confidence < _SCRIPT_SURE or not {*self._languages.split("+")}.isdisjoint(languages):
            return best
        known = [language for language in languages if language in tesseract.installed()]
        if not known:
            return replace(best, script=script)
        self._languages = "+".join(known)
        try:
            other = self._by_tesseract()
        except OcrFailed:
            return best
        return other if other.confidence > best.confidence or not best.letters else best

    def _by_lines(self) -> Reading:
        """Read line by line, turning the page if it lies sideways or upside down."""
        page, found = self._page, rapid.lines(self._page.image)
        if not found.lines:
            page = preparation.stretched(page)
            found = rapid.lines(page.image)
        if found.lies_sideways:
            # Tall lines are turned counter-clockwise to be read: if that gives text, it is what the page needs.
            page = preparation.turned(page, 90.0 if found.score >= _UPRIGHT else -90.0)
            found = rapid.lines(page.image)
        if found.lines and found.score < _UPRIGHT:
            other = preparation.turned(page, 180.0)
            again = rapid.lines(other.image)
            if again.score > found.score:
                page, found = other, again
        return Reading(found.words(), page, "rapidocr")

    def _by_tesseract(self) -> Reading:
        """Return the best of several attempts."""
        best = self._orient(self._attempt(self._page, tesseract.AUTO))
        height = best.height
        if height is None:
            return best
        try:
            for page, mode in self._other_ways(height):
                if best.confidence >= _SURE or self._left <= 0:
                    break
                best = max(best, self._attempt(page, mode), key=lambda reading: reading.merit)
        except OcrFailed:
            pass  # what was read so far stands
        return best

    def _attempt(self, page: Placed, mode: int) -> Reading:
        words = tesseract.read(page.image, mode, self._languages, self._left)
        return Reading([word for word in words if word.letters or word.confidence >= _SPECK], page)

    def _orient(self, first: Reading) -> Reading:
        """Turn the page where it was scanned sideways or upside down; otherwise return the reading as it is."""
        if first.confidence >= _DOUBTFUL and first.letters >= _FEW_LETTERS:
            return first
        degrees, confidence = tesseract.upright(self._page.image, self._left)
        if degrees == 0 or confidence < _ORIENTATION_SURE:
            return first
        page = preparation.levelled(preparation.turned(self._page, -degrees))
        try:
            other = self._attempt(page, tesseract.AUTO)
        except OcrFailed:
            return first
        if other.merit > first.merit:
            self._page = page
            return other
        return first

    def _other_ways(self, height: float) -> Iterator[tuple[Placed, int]]:
        page = self._page
        if not _GOOD_HEIGHT[0] <= height <= _GOOD_HEIGHT[1]:
            page = page.resized(preparation.scaled(page.image, min(_WIDEST_SCALE, _HEIGHT / height)))
            yield page, tesseract.AUTO
        yield page, tesseract.ONE_BLOCK
        # Dot-matrix and thermal print: letters of loose dots grow together.
        small = preparation.scaled(self._page.image, min(_WIDEST_SCALE, _LOW_HEIGHT / height))
        soft = self._page.resized(small.filter(ImageFilter.GaussianBlur(1.2)))
        yield soft, tesseract.ONE_BLOCK
        yield soft, tesseract.AUTO


def _cpu_seconds() -> float:
    """Return what this process and the programs that it ran have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def recognise(image: Image, limits: ParseLimits) -> ParsedPage:
    """Read a page's picture; raises `OcrUnavailable` where OCR is not installed."""
    page = preparation.plain(image)
    recognition = PageRecognition(page, limits.ocr_languages, limits.ocr_seconds)
    try:
        reading = recognition.read()
    except OcrFailed as error:
        return ParsedPage(
            "", "tesseract", 0.0, (ParseWarning("ocr-failed", f"the page's picture could not be read: {error}"),)
        )
    text, words = tidy(in_lines(reading.words)), tuple(map(reading.placed, reading.words))
    return ParsedPage(text, reading.engine, _share(reading), (*_notes(reading), *recognition.notes), words=words)


def _share(reading: Reading) -> float | None:
    return round(reading.confidence / 100, 3) if reading.words else None


def _notes(reading: Reading) -> tuple[ParseWarning, ...]:
    if reading.script:
        detail = f"the page seems to be written in {reading.script} script, and OCR_LANGUAGES has no language of it"
        return (ParseWarning("other-script", detail),)
    if not reading.letters:
        return (ParseWarning("no-text-found", "no text was found in the page's picture"),)
    if reading.confidence < _DOUBTFUL:
        return (
            ParseWarning(
                "low-confidence", f"the text was read with a confidence of only {reading.confidence:.0f} per cent"
            ),
        )
    return ()

"""Pictures: every frame of a TIFF is a page, all others are one page; the text comes from OCR."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, UnidentifiedImageError

from doc_processor.ocr.preparation import MAX_PIXELS, shrunk
from doc_processor.parsers.base import PageView, ParsedPage, ParseLimits, ParseWarning, Properties, Upload
from doc_processor.refusals import ImageTooLarge, Refusal, TooManyPages, Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# What Pillow raises on damaged pictures; it has no common class.
_DAMAGE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, struct.error, KeyError, IndexError, TypeError, EOFError)  # fmt: skip
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
# JPEG is decoded at a half to an eighth of its size for next to nothing, so more of it can be read.
_DRAFT_FACTOR = 4


class Frames:
    """An open picture; the first frame was decoded already, which proves that it can be."""

    def __init__(self, image: Picture, file: BinaryIO, limits: ParseLimits) -> None:
        self._image = image
        self._file = file
        self._limits = limits
        self.pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        self.warnings: tuple[ParseWarning, ...] = ()
        self.properties = Properties()
        if self.pages == 1 and getattr(image, "n_frames", 1) > 1:
            self.warnings = (ParseWarning("frames-not-read", "only the first frame of the animation was read"),)

    def page(self, number: int) -> ParsedPage:
        return ParsedPage("", "none", wants_ocr=True)

    def render(self, number: int) -> Picture:
        """Raise `Unreadable` or `ImageTooLarge` for this frame."""
        try:
            if self.pages > 1:
                self._image.seek(number - 1)
                _check(self._image, self._limits)
            self._image.load()
            return self._image
        except _DAMAGE as error:
            raise Unreadable("the picture is damaged") from error

    def view(self, number: int, width: int) -> PageView:
        image = shrunk(self.render(number)).convert("RGB")
        image.thumbnail((width, image.height))
        return PageView(image, [])

    def close(self) -> None:
        self._image.close()
        self._file.close()


def parse(upload: Upload, limits: ParseLimits) -> Frames:
    # Sizes are checked here, before anything is decoded; Pillow's own limit only warns.
    Image.MAX_IMAGE_PIXELS = None
    file = upload.path.open("rb")
    try:
        return _open(file, limits)
    except _DAMAGE as error:
        file.close()
        raise Unreadable("the file is not a readable picture: it is damaged, cut short or too large") from error
    except MemoryError as error:
        file.close()
        raise ImageTooLarge("decoding the picture takes more memory than a worker may use") from error
    except Refusal:
        file.close()
        raise


def _open(file: BinaryIO, limits: ParseLimits) -> Frames:
    image = Image.open(file, formats=_FORMATS)
    frames = Frames(image, file, limits)
    if frames.pages > limits.max_pages:
        raise TooManyPages(f"the picture has {frames.pages} frames; at most {limits.max_pages} are read")
    _check(image, limits)
    image.load()
    return frames


def _check(image: Picture, limits: ParseLimits) -> None:
    width, height = image.size
    allowed = limits.max_image_pixels
    if image.format == "JPEG":
        allowed *= _DRAFT_FACTOR
        shrink = (width * height / MAX_PIXELS) ** 0.5
        if shrink > 1:
            image.draft(image.mode, (round(width / shrink), round(height / shrink)))
    if width * height > allowed:
        raise ImageTooLarge(f"the picture has {width} x {height} pixels; at most {allowed} pixels are read")

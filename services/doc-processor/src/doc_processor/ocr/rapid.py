"""One run of PP-OCR by rapidocr (ONNX Runtime), as words with places and confidences; the order of lines is ours.

Its models find lines wherever and however they lie, and read them one by one: better than Tesseract on receipts and photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from doc_processor.ocr.line_order import box_of, in_order
from doc_processor.ocr.words import OcrFailed, Word

if TYPE_CHECKING:
    from PIL.Image import Image

_PARAMETERS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "Global.return_word_box": True,
    # Lines are looked for in a small copy, which bounds the memory, and read in the picture as it is.
    "Global.max_side_len": 10_000,
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    # Pages are read side by side.
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_PACKAGES = ("rapidocr", "onnxruntime")  # the first does not ask for the second
_TALL = 1.5
# Whose letters PP-OCRv6 reads without a fault. It has neither Cyrillic nor Arabic, and loses marks of Czech or Turkish.
_READ = frozenset(
    "afr cat chi_sim chi_tra dan deu eng est eus fao fin fra fry gla gle glg ind isl ita jpn lat ltz msa nld nor oci pol por "
    "spa sqi swa swe".split()
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: its corners from the top left clockwise, its words, and how sure it is, from 0 to 1."""

    corners: NDArray[np.float64]
    words: Sequence[tuple[str, float, NDArray[np.float64]]]
    score: float

    @property
    def is_tall(self) -> bool:
        across, down = (np.linalg.norm(self.corners[at] - self.corners[0]) for at in (1, 3))
        return bool(down > _TALL * across)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines that were found in a picture, in no order."""

    lines: Sequence[Line] = field(default=())

    @property
    def score(self) -> float:
        """Mean over letters, 0 to 1."""
        letters = [sum(len(text) for text, _, _ in line.words) for line in self.lines]
        return sum(line.score * count for line, count in zip(self.lines, letters, strict=True)) / max(1, sum(letters))

    @property
    def lies_sideways(self) -> bool:
        return 2 * sum(line.is_tall for line in self.lines) > len(self.lines)

    def words(self) -> list[Word]:
        """Return the words in reading order."""
        found: list[Word] = []
        for (block, paragraph, row), number in in_order([line.corners for line in self.lines]):
            for text, confidence, corners in self.lines[number].words:
                left, top, right, bottom = map(round, box_of(corners))
                found.append(Word((block, paragraph, row), (left, top, right, bottom), 100 * confidence, text))
        return found


def reads(languages: str) -> bool:
    """Whether it is installed, and reads all of these languages, which are named as Tesseract does."""
    return all(map(find_spec, _PACKAGES)) and _READ.issuperset(languages.split("+"))


def lines(image: Image) -> Lines:
    """Find and read the lines of a picture; raises `OcrFailed`."""
    try:
        found = _engine()(np.asarray(image.convert("RGB"))[:, :, ::-1])
    except Exception as error:  # its errors, OpenCV's and ONNX Runtime's have no common class
        raise OcrFailed(f"rapidocr failed: {type(error).__name__}") from error
    if getattr(found, "boxes", None) is None or found.txts is None:
        return Lines()
    pieces = found.word_results if len(found.word_results or ()) == len(found.boxes) else [()] * len(found.boxes)
    every = zip(found.boxes, found.txts, found.scores, pieces, strict=True)
    return Lines([_line(np.asarray(corners, float), text, float(score), part) for corners, text, score, part in every])


def _line(corners: NDArray[np.float64], text: str, score: float, pieces: Sequence[Any]) -> Line:
    """Make words of the pieces that have boxes, which are single characters in some scripts."""
    left = list(pieces)
    words = []
    for word in text.split():
        taken = list[Any]()
        while left and sum(len(piece[0]) for piece in taken) < len(word):
            taken.append(left.pop(0))
        points = np.concatenate([np.asarray(piece[2], float) for piece in taken]) if taken else corners
        confidence = sum(float(piece[1]) for piece in taken) / len(taken) if taken else score
        words.append((word, confidence, points))
    return Line(corners, words, score)


@cache
def _engine() -> Any:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(params=_PARAMETERS)

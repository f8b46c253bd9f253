"""One run of Tesseract, as words with places and confidences."""

from __future__ import annotations

import io
import math
import os
import re
import resource
import signal
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from doc_processor.ocr.words import OcrFailed, Word
from doc_processor.refusals import OcrUnavailable

if TYPE_CHECKING:
    from PIL.Image import Image

AUTO, ONE_BLOCK = 3, 6  # page segmentation modes
_ORIENTATION_ONLY = 0
_ROTATE = re.compile(r"^Rotate: (\d+)$", re.MULTILINE)
_SCRIPT = re.compile(r"^Script: (\w+)$", re.MULTILINE)
_SCRIPT_CONFIDENCE = re.compile(r"^Script confidence: ([\d.]+)$", re.MULTILINE)
_ORIENTATION_CONFIDENCE = re.compile(r"^Orientation confidence: ([\d.]+)$", re.MULTILINE)


def read(image: Image, mode: int, languages: str, seconds: float) -> list[Word]:
    """Read a grey picture in reading order, in so many seconds of CPU; raises `OcrFailed`, or `OcrUnavailable` without a Tesseract."""
    output = _run(image, ["--psm", str(mode), "-l", languages, "tsv"], seconds)
    words = []
    for line in output.splitlines()[1:]:
        fields = line.split("\t")
        # level, page, block, paragraph, line, word, left, top, width, height, confidence, text
        if len(fields) == 12 and fields[0] == "5" and fields[11].strip():
            place = (int(fields[2]), int(fields[3]), int(fields[4]))
            left, top, width, height = map(int, fields[6:10])
            box = (left, top, left + width, top + height)
            words.append(Word(place, box, max(0.0, float(fields[10])), fields[11].strip()))
    return words


def upright(image: Image, seconds: float) -> tuple[int, float]:
    """Return by how many degrees clockwise the picture must be turned, and Tesseract's confidence in that."""
    try:
        output = _run(image, ["--psm", str(_ORIENTATION_ONLY), "-l", "osd"], seconds)
    except OcrFailed:  # too few characters
        return 0, 0.0
    degrees, confidence = _ROTATE.search(output), _ORIENTATION_CONFIDENCE.search(output)
    return (int(degrees.group(1)), float(confidence.group(1))) if degrees and confidence else (0, 0.0)


def script(image: Image, seconds: float) -> tuple[str, float]:
    """Return the script that a page is written in, such as Latin or Cyrillic, and Tesseract's confidence in that."""
    try:
        output = _run(image, ["--psm", str(_ORIENTATION_ONLY), "-l", "osd"], seconds)
    except OcrFailed:  # too few characters
        return "", 0.0
    name, confidence = _SCRIPT.search(output), _SCRIPT_CONFIDENCE.search(output)
    return (name.group(1), float(confidence.group(1))) if name and confidence else ("", 0.0)


@cache
def installed() -> frozenset[str]:
    """Return the languages that can be read; none without a Tesseract."""
    try:
        result = subprocess.run(["tesseract", "--list-langs"], capture_output=True, check=True)  # noqa: S607  # as above
    except (OSError, subprocess.CalledProcessError):
        return frozenset()
    return frozenset(result.stdout.decode("utf-8", "replace").split("\n")[1:]) - {"", "osd"}


def _run(image: Image, options: Sequence[str], seconds: float) -> str:
    if seconds <= 0:
        raise OcrFailed("time-out")
    picture = io.BytesIO()
    image.save(picture, "PPM")
    # With several threads it is 5 times slower for the same text; pages are read in parallel instead.
    limit = max(1, math.ceil(seconds))
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        result = subprocess.run(  # noqa: S603  # fixed program, no shell; languages were checked at start
            ["tesseract", "stdin", "stdout", "--dpi", "300", *options],  # noqa: S607  # found by PATH on purpose
            input=picture.getbuffer(),
            capture_output=True,
            env=environment,
            # Of CPU: whoever started this watches the clock.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
            check=True,
        )
    except FileNotFoundError as error:
        raise OcrUnavailable("Tesseract is not installed") from error
    except subprocess.CalledProcessError as error:
        if -error.returncode in (signal.SIGXCPU, signal.SIGKILL):
            raise OcrFailed("time-out") from error
        raise OcrFailed(f"exit status {error.returncode}") from error
    return result.stdout.decode("utf-8", "replace")

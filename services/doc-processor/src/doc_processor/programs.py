"""The external programs: Tesseract with its languages, and poppler."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE

import structlog

from doc_processor.errors import DocumentRefused
from doc_processor.refusals import OcrUnavailable
from service_kit.settings import InvalidSettings

log = structlog.get_logger(__name__)
_PROGRAMS = {"tesseract": "tesseract-ocr", "pdftoppm": "poppler-utils", "pdfinfo": "poppler-utils"}


async def check_programs() -> None:
    """Raise `DocumentRefused` that names the packages to install."""
    missing = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})
    if missing:
        detail = f"scans cannot be read until these packages are installed: {', '.join(missing)}"
        raise DocumentRefused(OcrUnavailable.kind, detail)


async def check_languages(languages: str) -> None:
    """Raise `InvalidSettings` for languages that Tesseract does not have; without Tesseract only warn."""
    if shutil.which("tesseract") is None:
        log.warning("Tesseract is not installed: pages without a text layer will have no text")
        return
    process = await asyncio.create_subprocess_exec("tesseract", "--list-langs", stdout=PIPE, stderr=DEVNULL)
    output, _ = await process.communicate()
    known = set(output.decode(errors="replace").split("\n")[1:]) - {""}
    if unknown := [language for language in languages.split("+") if language not in known]:
        raise InvalidSettings(
            f"OCR_LANGUAGES: Tesseract has no {', '.join(unknown)}; installed are {', '.join(sorted(known))} "
            "(packages tesseract-ocr-LANGUAGE)"
        )

"""Source code and settings files: as they are written, in which `#` is no heading."""

from __future__ import annotations

from dataclasses import replace

from doc_processor.parsers import plain
from doc_processor.parsers.base import ParseLimits, ReadyPages, Upload


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    read = plain.parse(upload, limits)
    return ReadyPages([replace(page, engine="source-code") for page in read.texts], read.warnings)

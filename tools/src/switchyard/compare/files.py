"""The files of a report: JSON for programs and HTML for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from switchyard.client import StackError


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write atomically: readers see the old file or the new one."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write atomically; raises `StackError` if it can't."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StackError(f"{path} can't be written: {error.strerror}") from error

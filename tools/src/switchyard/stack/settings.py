"""The operator's settings: the environment, then the `.env` that Compose reads too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:](.*)$")
_QUOTED = re.compile(r"^(['\"])(.*?)\1(?:\s+#.*)?$")
_COMMENT = re.compile(r"(^|\s)#.*$")


def parse(text: str) -> dict[str, str]:
    """Read the lines of a `.env`, https://docs.docker.com/reference/compose-file/interpolation/; nothing is expanded."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        matched = _LINE.match(line)
        if matched:
            settings[matched.group(1)] = _value(matched.group(2).strip())
    return settings


def _value(text: str) -> str:
    quoted = _QUOTED.match(text)
    return quoted.group(2) if quoted else _COMMENT.sub("", text).strip()


def read(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the checkout at `root`: the environment wins over `.env`, as in Compose."""
    path = root / ".env"
    dotenv = parse(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else {}
    return {**dotenv, **environment}

"""The functions that docs/architecture.md names exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
PACKAGES = "llm_providers|service_kit|rag_service|notes_service|doc_processor|switchyard"
NAME = re.compile(rf"`((?:{PACKAGES})(?:\.\w+)+)`")


def resolve(name: str) -> object:
    """Import the longest prefix that is a module, and return the attribute that the rest names."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def test_every_function_that_is_named_exists() -> None:
    names = sorted(set(NAME.findall(PAGE.read_text())))
    assert len(names) > 40
    for name in names:
        resolve(name)
    with pytest.raises(AttributeError):
        resolve("switchyard.providers.no_such_command")

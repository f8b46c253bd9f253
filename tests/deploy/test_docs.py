"""What docs/architecture.md and docs/extending.md say, where it can be checked."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from llm_providers.engines.table import Kind
from llm_providers.environment import read_engines_file

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
PACKAGES = "llm_providers|service_kit|rag_service|notes_service|doc_processor|graph_service|switchyard"
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


def test_the_example_of_an_engines_file_is_valid(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(engines:\n.*?)```", PAGE.with_name("extending.md").read_text(), re.DOTALL)
    path = tmp_path / "engines.yml"
    path.write_text(example)
    assert {engine.kind for engine in read_engines_file(path).values()} == {Kind.OPENAI, Kind.OLLAMA}

"""Every statement of docs/security.md that names a test names one that exists."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROW = re.compile(r"^\|(?! ?who |-)(?:[^|]*\|){4}$", re.MULTILINE)


def test_each_threat_has_a_test() -> None:
    section = PAGE.split("## Threats")[1].split("\n## ")[0]
    rows = [row for row in ROW.findall(section) if "---" not in row]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            functions = {
                node.name
                for node in ast.walk(ast.parse((ROOT / file).read_text()))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert test in functions, row


def test_what_is_named_exists() -> None:
    for module, name in re.findall(r"`(service_kit\.\w+)\.(\w+)`", PAGE):
        assert hasattr(import_module(module), name)

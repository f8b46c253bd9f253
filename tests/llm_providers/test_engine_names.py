"""Code asks what an engine can do, never what it is called: an engine of any kind may have any name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = r"""["'](?:embedded|ollama|vllm|extractive)["']"""
COMPARISON = re.compile(rf"(?:==|!=|\bin|\bcase)\s*[\[({{]?\s*{NAME}|{NAME}\s*(?:==|!=)")
MAY_COMPARE = (
    "shared/src/llm_providers/backends/",
    "shared/src/llm_providers/engines/",
    "shared/src/llm_providers/environment.py",
    "shared/src/llm_providers/settings.py",
    # Its names are those of stacks and containers.
    "tools/src/switchyard/stack/",
)


def comparisons(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if COMPARISON.search(line)]


def test_a_comparison_is_found() -> None:
    found = [
        'if name == "vllm":',
        "if 'ollama' != name:",
        'x in ("embedded", "y")',
        'case "vllm":',
        'model == "extractive"',
    ]
    assert comparisons("\n".join(found)) == found
    assert comparisons('name = "vllm"\nhas["extractive"]\n"extractive" in answer') == []


def test_no_code_asks_for_the_name_of_an_engine() -> None:
    files = {
        str(path.relative_to(ROOT)): path.read_text()
        for pattern in ("shared/src/**/*.py", "services/*/src/**/*.py", "tools/src/**/*.py", "benchmarks/src/**/*.py")
        for path in ROOT.glob(pattern)
    }
    assert any(comparisons(text) for name, text in files.items() if name.startswith(MAY_COMPARE))
    assert {
        name: lines for name, text in files.items() if not name.startswith(MAY_COMPARE) and (lines := comparisons(text))
    } == {}

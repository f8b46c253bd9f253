"""A Docker user has Python, of any age down to 3.9, and nothing more."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED, TOOLS = (Path(__file__).parents[3] / name / "src" for name in ("shared", "tools"))
PORTABLE = (
    "switchyard.stack",
    "switchyard.services",
    "switchyard.installation",
    "service_kit.volumes",
    "service_kit.peers",
)
MODULES = sorted(
    [
        *(TOOLS / "switchyard" / "stack").rglob("*.py"),
        *(SHARED / "service_kit" / "volumes").rglob("*.py"),
        SHARED / "service_kit" / "peers.py",
        TOOLS / "switchyard" / "services.py",
        TOOLS / "switchyard" / "installation.py",
    ]
)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_each_module_is_python_3_9_and_needs_the_standard_library_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    foreign = {
        name
        for name in imported(tree)
        if name != "service_kit" and not name.startswith(PORTABLE) and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_it_runs_without_site_packages_and_shows_its_verbs(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-m", "switchyard.stack", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{TOOLS}:{SHARED}"},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = {line.split()[0] for line in ran.stdout.splitlines() if line.startswith("    ")}
    verbs = {"up", "down", "logs", "compose", "status", "key", "pull", "backup", "restore", "preflight"}
    assert verbs <= shown

"""`switchyard audit` on an installation of this machine."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from typer.testing import CliRunner

from service_kit.manage_keys import main as keys
from switchyard.cli import app


def run(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *words, "--data-dir", str(folder)])
    return result.exit_code, result.output


def test_acts_are_listed_checked_and_exported(tmp_path: Path) -> None:
    for name in ("anna", "=1+1"):
        assert keys(["create", name], tmp_path) == 0
    code, listed = run(tmp_path, "list", "--what", "key")
    assert code == 0
    assert listed.count("key.create") == 2
    assert run(tmp_path, "list", "--what", "document")[1].count("key.create") == 0
    assert run(tmp_path, "list", "--since", "2999-01-01")[1].count("key.create") == 0

    output = tmp_path / "acts.csv"
    assert run(tmp_path, "export", "-o", str(output), "--what", "key")[0] == 0
    assert output.stat().st_mode & 0o777 == 0o600
    with output.open(newline="") as table:
        assert [row["target"] for row in csv.DictReader(table)] == ["'=1+1", "anna"]
    assert len(json.loads(run(tmp_path, "export", "--format", "json", "--what", "key.create")[1])) == 2


def test_verify_says_which_line_was_changed(tmp_path: Path) -> None:
    assert keys(["create", "anna"], tmp_path) == 0
    code, words = run(tmp_path, "verify")
    assert (code, "3 entries, as it was written" in words) == (0, True)
    [log] = (tmp_path / "audit").glob("*.jsonl")
    log.write_text(log.read_text().replace("anna", "bert", 1))
    code, words = run(tmp_path, "verify")
    assert (code, f"{log.name} line 2: it was changed" in words) == (1, True)

"""The page's own files."""

from __future__ import annotations

import gzip
from importlib.resources import files


def test_script_and_style_are_small() -> None:
    folder = files("switchyard").joinpath("web")
    found = [
        file.read_bytes()
        for part in (folder, *(part for part in folder.iterdir() if part.is_dir()))
        for file in part.iterdir()
        if file.name.endswith((".js", ".css"))
    ]
    assert len(found) > 10
    assert sum(map(len, found)) <= 150_000
    assert sum(len(gzip.compress(content)) for content in found) <= 50_000

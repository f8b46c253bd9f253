"""The page's own files."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(str(files("switchyard").joinpath("web")))
FILES = sorted(path for path in WEB.rglob("*") if path.suffix in (".js", ".css"))
_IMPORTED = re.compile(r'^import .* from "(.+)";$', re.MULTILINE)


def test_script_and_style_are_small() -> None:
    found = [path.read_bytes() for path in FILES]
    assert len(found) > 10
    assert sum(map(len, found)) <= 150_000
    assert len(gzip.compress(b"".join(found))) <= 50_000


@pytest.mark.parametrize("view", sorted((WEB / "views").iterdir()), ids=lambda path: path.stem)
def test_a_view_is_shown_after_few_bytes(view: Path) -> None:
    """As they are sent: the page, its style, and all that a view imports, each file compressed by itself."""
    needed: set[Path] = set()
    waiting = [WEB / "app.js", view]
    while waiting:
        path = waiting.pop().resolve()
        if path not in needed:
            needed.add(path)
            waiting += [path.parent / name for name in _IMPORTED.findall(path.read_text())]
    assert WEB / "lib" / "dom.js" in needed
    sent = [gzip.compress(path.read_bytes()) for path in [*needed, WEB / "style.css", WEB / "index.html"]]
    assert sum(map(len, sent)) <= 30_000

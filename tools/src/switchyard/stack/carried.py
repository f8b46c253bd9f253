"""Our own modules, carried into a container that has Python but not this package."""

from __future__ import annotations

import json
import zlib
from base64 import b85encode
from collections.abc import Sequence
from pathlib import Path

_PACKAGE = "switchyard.stack"
_BEGIN = """\
import sys, types, zlib, json, base64
for name in ("switchyard", "switchyard.stack"):
    sys.modules[name] = package = types.ModuleType(name)
    package.__path__ = []
for name, source in json.loads(zlib.decompress(base64.b85decode({data!r}))).items():
    sys.modules[name] = module = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(sys.argv[1:])
"""


def program(*modules: str) -> str:
    """Return a text for `python -c` that loads `modules` of this package in that order, and runs the last's `main`.

    Nothing is mounted, so that it works on a remote engine as well.
    """
    folder = Path(__file__).parent
    sources = {f"{_PACKAGE}.{name}": (folder / f"{name}.py").read_text(encoding="utf-8") for name in modules}
    return _BEGIN.format(data=b85encode(zlib.compress(json.dumps(sources).encode())).decode())


def command(modules: Sequence[str], args: Sequence[str] = ()) -> list[str]:
    """Return the words of a command that runs `program` with `args`."""
    return ["python3", "-c", program(*modules), *args]

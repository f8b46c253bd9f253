"""Reports: HTML pages from the templates of this package, with no script and nothing loaded, and JSON for programs.

They are written to a folder, and given to the stack, whose page lists them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, Undefined
from markupsafe import Markup

from switchyard.client import Client, StackError
from switchyard.output import say
from switchyard.tables import figure, moment


def _printable(value: Any) -> Any:
    """Return what is shown: a dash for None, and no control characters, which HTML does not allow."""
    if value is None:
        return "–"
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join(char for char in value if char in "\t\n" or char.isprintable() or char.isspace())


def _figure(value: Any, unit: str = "") -> str:
    return figure(None if isinstance(value, Undefined) else value, unit)


_ENVIRONMENT = Environment(
    loader=PackageLoader("switchyard"), autoescape=True, finalize=_printable, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {"figure": _figure, "moment": moment}


def render(template: str, **values: Any) -> str:
    """Return the page that `template` makes of `values`; they are escaped unless they are `Markup`."""
    return _ENVIRONMENT.get_template(template).render(values)


def publish(client: Client, kind: str, title: str, page: str) -> None:
    """Give a report to the stack; what was written to a folder stands, also where the stack does not take it."""
    try:
        client.call("POST", "/rag/v1/reports", json={"kind": kind, "title": title[:300], "html": page})
        say(f"also at {client.url}/#/engines")
    except StackError as error:
        say(f"the stack's page does not have it: {error}")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write atomically: readers see the old file or the new one."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write atomically; raises `StackError` if it can't."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StackError(f"{path} can't be written: {error.strerror}") from error

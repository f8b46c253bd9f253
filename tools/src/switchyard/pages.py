"""HTML pages from the templates of this package: one file each, no script, nothing loaded from anywhere."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, Undefined
from markupsafe import Markup

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

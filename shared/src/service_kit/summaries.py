"""The summaries of the OpenAPI document: the first sentence of what a route's function says of itself."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

_SENTENCE = re.compile(r".+?[.](?=\s|$)", re.DOTALL)


def summarise(app: FastAPI) -> None:
    """Give each route its sentence in the document; FastAPI titles it by the name of its function."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        for methods in document["paths"].values():
            for operation in methods.values():
                operation["summary"] = first_sentence(operation.get("description", "")) or operation["summary"]
        return document

    # As https://fastapi.tiangolo.com/how-to/extending-openapi/ has it.
    app.openapi = openapi  # type: ignore[method-assign]


def first_sentence(text: str) -> str | None:
    """Return the first sentence of a docstring in one line; None if there is none."""
    found = _SENTENCE.match(text)
    return " ".join(found.group().split()) if found else None

"""Request bodies that a route parses itself, because its path accepts more than one media type."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from service_kit.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], body: bytes) -> M:
    """Read JSON as `model`; raises `InvalidInput` that names the first field at fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "body"
        raise InvalidInput(f"{field}: {fault['msg']}", field=field) from error

"""Cursor pagination: a cursor is the sort key of the last row seen, opaque to callers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from service_kit.errors import InvalidInput

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=200, description="Most rows in one page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]


class Page(BaseModel, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


def encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode(cursor: str | None) -> str | None:
    """Return the sort key in `cursor`; raises `InvalidInput` for one that is not ours."""
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput("this is not a cursor of this service", field="cursor") from error


def page(rows: Sequence[T], keys: Sequence[str], limit: int) -> Page[T]:
    """Cut `limit + 1` fetched rows into a page; `keys` are their sort keys."""
    more = len(rows) > limit
    return Page(items=list(rows[:limit]), next_cursor=encode(keys[limit - 1]) if more else None)

"""Which collection a file of an inbox goes to: that of the first folder on its path, or one for all."""

from __future__ import annotations

import re

DEFAULT = "default"
_OTHER = re.compile(r"[^a-z0-9_-]+")


def collection_of(name: str, one_for_all: str = "") -> str | None:
    """Return the collection of the file `name`; None where its folder's name has no letter that one may have."""
    if one_for_all:
        return one_for_all
    folder, inside, _ = name.partition("/")
    if not inside:
        return DEFAULT
    return _OTHER.sub("-", folder.lower()).strip("-_")[:63] or None

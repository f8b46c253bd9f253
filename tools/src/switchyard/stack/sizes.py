"""Sizes as text."""

from __future__ import annotations


def size(count: float) -> str:
    """Return `count` bytes as text, in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"

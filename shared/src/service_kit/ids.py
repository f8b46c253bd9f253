"""Identifiers that sort by time of creation, so that they can be used as cursors."""

from __future__ import annotations

import secrets
import time


def new_id(kind: str) -> str:
    """Return `kind_` and 28 hex digits: 48 bits of milliseconds, 64 random bits (the layout of RFC 9562's UUIDv7)."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"

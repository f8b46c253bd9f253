"""Encoded images as the wire wants them."""

from __future__ import annotations

import base64

_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))


def to_base64(image: bytes) -> str:
    return base64.b64encode(image).decode("ascii")


def to_data_url(image: bytes) -> str:
    """A `data:` URL (RFC 2397), its type found from the first bytes."""
    kind = next((mime for magic, mime in _MAGIC if image.startswith(magic)), "application/octet-stream")
    return f"data:{kind};base64,{to_base64(image)}"

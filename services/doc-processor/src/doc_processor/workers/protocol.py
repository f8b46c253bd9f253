"""The protocol between service and worker: JSON objects, each preceded by its length in four bytes.

JSON and not pickle: a worker that a hostile file has compromised must not be able to run code in the service.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
HEADER_BYTES = _LENGTH.size
MAX_MESSAGE_BYTES = 512 * 1024 * 1024

Message = dict[str, Any]


class BadMessage(Exception):
    """The other side broke the protocol."""


def encode(message: Message) -> bytes:
    body = json.dumps(message).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Raise `BadMessage` for a length that no valid message has."""
    (length,) = _LENGTH.unpack(header)
    if length > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {length} bytes")
    return int(length)


def decode(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BadMessage("not JSON") from error
    if not isinstance(message, dict):
        raise BadMessage("not a JSON object")
    return message


def read(stream: BinaryIO) -> Message | None:
    """Read one message; None at the end of the stream."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    return decode(stream.read(body_length(header)))

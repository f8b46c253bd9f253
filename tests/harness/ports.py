"""Ports for processes that tests start."""

from __future__ import annotations

import random
import socket

# Below the range that the kernel hands out for port 0, where other tests' servers and connections take theirs.
_RANGE = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on now, and that nothing takes by chance."""
    while True:
        port = random.choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

"""Whom to trust: the operating system's store, or SSL_CERT_FILE."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trust() -> ssl.SSLContext:
    """One context for every client: making one reads the whole store, which takes 20 ms."""
    return ssl.create_default_context()

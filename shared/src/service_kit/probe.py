"""`python -m service_kit.probe`: the health check of a container, which prints why its service is not ready."""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPConnection, HTTPException


def probe(port: int, seconds: float = 5) -> str | None:
    """Return None if `/readyz` on `port` is green, or else what it says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        return f"does not answer: {error}"
    finally:
        connection.close()
    if answer.status == 200:
        return None
    failures = json.loads(body).get("failures", {})
    return "; ".join(f"{name}: {failure.get('detail')}" for name, failure in failures.items()) or str(answer.status)


if __name__ == "__main__":
    sys.exit(probe(int(os.environ["PORT"])))

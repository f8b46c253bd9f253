"""`python -m service_kit.peers URL…` prints as JSON what URLs answer from inside this container, and its policy.

Needs the standard library of Python 3.9 and nothing else: the host calls `fetch` too.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_POLICY = "/data/policy/policy.json"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(urls: Sequence[str], seconds: float = 5) -> dict[str, dict[str, Any]]:
    """Return the answer of each URL, `{"status", "body"}`, or why there was none, `{"error"}`; all at once."""
    with ThreadPoolExecutor(max(1, len(urls))) as pool:
        return dict(zip(urls, pool.map(lambda url: _fetch(url, seconds), urls)))


def _fetch(url: str, seconds: float) -> dict[str, Any]:
    try:
        with _OPENER.open(url, timeout=seconds) as answer:
            return {"status": answer.status, "body": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode(errors="replace")}
    except (OSError, ValueError) as error:
        return {"error": str(getattr(error, "reason", None) or error) or type(error).__name__}


def policy() -> dict[str, Any]:
    """Return the text of the policy document, `{"body"}`, or why it can't be read, `{"error"}`."""
    try:
        with open(os.environ.get("POLICY_FILE") or _POLICY, encoding="utf-8") as file:
            return {"body": file.read()}
    except OSError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    json.dump({"answers": fetch(sys.argv[1:]), "policy": policy()}, sys.stdout)

"""Asks several URLs at once; runs on the host, and by `carried` in a container, so it imports nothing of ours."""

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
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(urls: Sequence[str], seconds: float = 5) -> dict[str, dict[str, Any]]:
    """Return per URL what it answered, `{"status", "body"}`, or why there was no answer, `{"error"}`."""
    with ThreadPoolExecutor(max(1, len(urls))) as pool:
        asked = {url: pool.submit(_one, url, seconds) for url in urls}
        return {url: answer.result() for url, answer in asked.items()}


def _one(url: str, seconds: float) -> dict[str, Any]:
    try:
        with _DIRECT.open(url, timeout=seconds) as answer:
            return {"status": answer.status, "body": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode(errors="replace")}
    except (OSError, ValueError) as error:
        return {"error": str(getattr(error, "reason", None) or error) or type(error).__name__}


def policy() -> dict[str, Any]:
    """Return the policy document as the container sees it, or why it can't be read."""
    try:
        with open(os.environ.get("POLICY_FILE") or _POLICY, encoding="utf-8") as file:
            return {"body": file.read()}
    except OSError as error:
        return {"error": str(error)}


def main(urls: Sequence[str]) -> None:
    """Print as JSON what `urls` answer, and the policy."""
    json.dump({"answers": fetch(urls), "policy": policy()}, sys.stdout)

"""The rag-service as a mirror sees it: documents of a collection are listed, added, read again and deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from service_kit.folders.plan import Known

_MOST_TRIES = 8
_LATER = (409, 429, 503)
"""The service is busy with something that passes."""


class RemoteError(Exception):
    """The service refused or can't be reached; `status` is that of its answer, None where there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Remote:
    """A service at `prefix` of the client's address; the caller closes the client. All methods raise `RemoteError`."""

    http: httpx2.Client
    prefix: str = ""

    def collections(self) -> list[str]:
        return [one["name"] for one in self._call("GET", "/v1/collections")]

    def documents(self, collection: str) -> list[Known]:
        return [
            Known(
                one["id"],
                one["external_id"],
                one["sha256"],
                one["status"],
                one["version"],
                one["attempts"],
                (one["error"] or {}).get("detail", ""),
            )
            for one in self._listed(collection)
        ]

    def _listed(self, collection: str, **query: Any) -> Iterator[dict[str, Any]]:
        query |= {"collection": collection, "limit": 200}
        while True:
            page = self._call("GET", "/v1/documents", params=query)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def is_reading(self, collection: str) -> bool:
        """Whether documents of the collection are being read, or wait for it."""
        for status in ("running", "queued"):
            query = {"collection": collection, "status": status, "limit": 1}
            if self._call("GET", "/v1/documents", params=query)["items"]:
                return True
        return False

    def add(self, collection: str, external_id: str, path: Path) -> None:
        """Upload a file; raises OSError too."""
        name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        with path.open("rb") as content:
            form = {"collection": collection, "external_id": external_id}
            self._call("POST", "/v1/documents", files=[("files", (name, content))], data=form, rewind=content)

    def retry(self, document: str) -> None:
        self._call("POST", f"/v1/documents/{document}/retry")

    def delete(self, document: str) -> None:
        """Delete a document that may be gone already."""
        try:
            self._call("DELETE", f"/v1/documents/{document}")
        except RemoteError as error:
            if error.status != 404:
                raise

    def _call(self, method: str, path: str, rewind: Any = None, **options: Any) -> Any:
        for left in range(_MOST_TRIES, 0, -1):
            if rewind is not None:
                rewind.seek(0)
            try:
                answer = self.http.request(method, self.prefix + path, **options)
            except httpx2.HTTPError as error:
                raise RemoteError(f"{self.http.base_url}: {type(error).__name__}") from error
            if answer.status_code < 400:
                return answer.json() if answer.content else None
            if answer.status_code not in _LATER or left == 1:
                break
            time.sleep(min(30.0, float(answer.headers.get("retry-after", "2"))))
        try:
            words = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            words = f"status {answer.status_code}"
        raise RemoteError(words, answer.status_code)

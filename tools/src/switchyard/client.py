"""A client of a running stack: its URL, a key, and errors as sentences."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2

from switchyard.installation import FIRST_KEY, first_key


class StackError(Exception):
    """The stack refused or can't be reached; the message says what to do.

    `status` is that of the HTTP answer, where there was one; `kind` is the last part of its problem `type`.
    """

    def __init__(self, message: str, *, status: int | None = None, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Client:
    """A client of a running stack, through its gateway; also an `httpx2.Client` bound to it, as `http`."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.http = httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=300
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON answer; raises `StackError` with the problem's own words."""
        with self._errors():
            answer = self.http.request(method, path, **options)
        if answer.status_code >= 400:
            raise _refusal(answer)
        return answer.json() if answer.content else None

    def events(self, method: str, path: str, **options: Any) -> Generator[tuple[str, Any], None, None]:
        """Yield (event, data) of a server-sent event stream."""
        # Imported only now: most commands need no part of the services.
        from service_kit.sse import EventReader

        headers = {"Accept": "text/event-stream"}
        with self._errors(), self.http.stream(method, path, headers=headers, **options) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _refusal(answer)
            reader = EventReader()
            for chunk in answer.iter_bytes():
                for event, data in reader.feed(chunk):
                    yield event, json.loads(data)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ConnectError as error:
            port = self.http.base_url.port or 80
            raise StackError(
                f"nothing answers at {self.url}; start it with `make up` in Docker, or without by "
                f"`.venv/bin/switchyard up --embedded --port {port}`; `make status` says what runs"
            ) from error
        except httpx2.HTTPError as error:
            raise StackError(f"{self.url}: {type(error).__name__}: {error}") from error


def _refusal(answer: httpx2.Response) -> StackError:
    words, kind = explain(answer.status_code, answer.text, str(answer.url))
    return StackError(words, status=answer.status_code, kind=kind)


def explain(status: int, body: str, url: str) -> tuple[str, str]:
    """Return the message of a refusal and its kind: from its problem details, or else the status."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return f"{status} from {url}", ""
    if failures := problem.get("failures"):
        # /readyz answers with failures by name, not with problem details.
        return "; ".join(f"{name}: {failure.get('detail', failure)}" for name, failure in failures.items()), ""
    words, kind = str(problem.get("detail", problem)), str(problem.get("type", "")).rsplit(":", 1)[-1]
    if status == 403 and "admin" in words:
        words += ": set SWITCHYARD_API_KEY to one, or make one with `switchyard keys create NAME --admin`"
    return words, kind


def saved_key(data_dir: Path) -> str:
    """Return the key to use: SWITCHYARD_API_KEY, or the first key of the installation in `data_dir`."""
    if key := os.environ.get("SWITCHYARD_API_KEY") or first_key(data_dir):
        return key
    raise StackError(
        f"no API key: {data_dir / FIRST_KEY} does not exist. `make key` prints the key of a stack that runs, in Docker "
        "or without: export SWITCHYARD_API_KEY=$(make key). Data in another folder: --data-dir FOLDER"
    )

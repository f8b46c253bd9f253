"""Sign-in for browsers: a key is exchanged for a session, whose token lies in an HttpOnly cookie; hashed at rest."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from llm_providers.files import SharedFile, Stamp
from service_kit.errors import StorageUnavailable, Unauthenticated

COOKIE = "switchyard_session"
CSRF_HEADER = "X-CSRF-Token"
ONCE = "sy-once-"
"""What the secret of a sign-in link begins with."""
SESSION = timedelta(days=7)
_LINK = timedelta(minutes=15)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A session or an unused sign-in link of a key, as stored: no secret, only its SHA-256."""

    hash: str
    key_id: str
    kind: Literal["session", "link"]
    expires: datetime


_SESSIONS = TypeAdapter(list[Session])


def csrf_token(secret: str) -> str:
    """Return what a page must send with every change that it makes: only who can read the answer of the sign-in knows it."""
    return hmac.digest(secret.encode(), b"csrf", "sha256").hex()


class Sessions:
    """The sessions of one installation, shared by its services as the keys are.

    Finding one takes no lock and writes nothing. Everything else blocks, and raises `StorageUnavailable` where the folder
    cannot be written. A session has no rights of its own: those of its key count, as long as there is that key.
    """

    def __init__(self, folder: Path) -> None:
        self._file = SharedFile(folder / "sessions.json", 0o600)
        self._stamp: Stamp | None = None
        self._known: dict[str, Session] = {}

    def begin(self, key_id: str, once: str | None = None, lasting: timedelta = SESSION) -> str:
        """Store a session and return its token; uses up the sign-in link `once`, or raises `Unauthenticated`."""
        token = secrets.token_urlsafe(32)
        made = Session(_digest(token), key_id, "session", datetime.now(UTC) + lasting)

        def change(known: dict[str, Session]) -> None:
            if once is not None and known.pop(_digest(once), None) is None:
                raise Unauthenticated("this sign-in link was used already")
            known[made.hash] = made

        self._change(change)
        return token

    def link(self, key_id: str) -> str:
        """Store a sign-in link, which may be used once within 15 minutes, and return its secret."""
        secret = f"{ONCE}{secrets.token_urlsafe(24)}"
        made = Session(_digest(secret), key_id, "link", datetime.now(UTC) + _LINK)
        self._change(lambda known: known.update({made.hash: made}))
        return secret

    def end(self, token: str) -> None:
        self._change(lambda known: known.pop(_digest(token), None))

    def end_all(self, key_id: str) -> int:
        """End every session and link of a key; returns how many."""
        ended = 0

        def change(known: dict[str, Session]) -> None:
            nonlocal ended
            gone = [one.hash for one in known.values() if one.key_id == key_id]
            ended = len(gone)
            for digest in gone:
                del known[digest]

        self._change(change)
        return ended

    def find(self, token: str, kind: Literal["session", "link"]) -> Session | None:
        found = self._load().get(_digest(token))
        return found if found is not None and found.kind == kind and found.expires > datetime.now(UTC) else None

    def _load(self) -> dict[str, Session]:
        stamp = self._file.stamp()
        if stamp != self._stamp:
            stored = [] if stamp is None else _SESSIONS.validate_json(self._file.read())
            self._known, self._stamp = {one.hash: one for one in stored}, stamp
        return self._known

    def _change(self, change: Callable[[dict[str, Session]], object]) -> None:
        try:
            with self._file.locked():
                now = datetime.now(UTC)
                known = {digest: one for digest, one in self._load().items() if one.expires > now}
                change(known)
                # The newest are kept: a program that signs in again and again must not fill the disk.
                kept = list(known.values())[-_MOST:]
                self._file.write(json.dumps([{**asdict(one), "expires": one.expires.isoformat()} for one in kept]))
        except OSError as error:
            raise StorageUnavailable(f"the sessions can't be stored: {error.strerror}", retry_after=5) from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

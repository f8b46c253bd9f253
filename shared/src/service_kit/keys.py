"""API keys: hashed at rest, scoped, bound to collections; one small file on the volume."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from service_kit.errors import NotFound

_FIRST = "first"


class Scope(StrEnum):
    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored: no secret, only its SHA-256 (the secret has 256 random bits, so no slow hash is needed)."""

    id: str
    name: str
    hash: str
    scope: Scope
    collections: tuple[str, ...] | None = None
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyStore:
    """The keys of one installation, shared by all its services through the volume.

    A change by one process is seen by the others at their next look-up.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "keys.json"
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def create(self, name: str, scope: Scope, collections: Iterable[str] | None = None) -> str:
        """Store a new key and return it; this is the only time it can be seen."""
        with self._locked():
            return self._add(name, scope, collections)

    @property
    def first_key(self) -> Path:
        """Where the first key lies in clear, for its user's eyes only; gone once that key is revoked."""
        return self._folder / "first-key"

    def ensure_first(self) -> str | None:
        """Create an admin key if there is no key at all; return it, or None if there was one."""
        with self._locked():
            if self._load():
                return None
            secret = self._add(_FIRST, Scope.ADMIN, None)
            _write_private(self.first_key, secret)
            return secret

    def adopt(self, name: str, secret: str, scope: Scope) -> None:
        """Accept a key that the operator chose, replacing what was under `name`."""
        with self._locked():
            keys = {key.id: key for key in self._load().values() if key.name != name}
            key = Key(id=_digest(secret)[:12], name=name, hash=_digest(secret), scope=scope)
            self._save({**keys, key.id: key})

    def revoke(self, identity: str) -> None:
        with self._locked():
            keys = dict(self._load())
            if (revoked := keys.pop(identity, None)) is None:
                raise NotFound(f"there is no key {identity!r}")
            self._save(keys)
            if revoked.name == _FIRST:
                self.first_key.unlink(missing_ok=True)

    def all(self) -> list[Key]:
        return list(self._load().values())

    def find(self, secret: str) -> Key | None:
        """Return the key that `secret` is, in constant time per key."""
        digest = _digest(secret)
        return next((key for key in self._load().values() if hmac.compare_digest(key.hash, digest)), None)

    def service_token(self) -> str:
        """Return the secret that services use among themselves, made at first use; readable by their user only."""
        path = self._folder / "service-token"
        with self._locked():
            if not path.exists():
                _write_private(path, secrets.token_urlsafe(32))
            return path.read_text()

    def _add(self, name: str, scope: Scope, collections: Iterable[str] | None) -> str:
        secret = f"sy-{secrets.token_urlsafe(32)}"
        key = Key(
            id=secrets.token_hex(6),
            name=name,
            hash=_digest(secret),
            scope=scope,
            collections=None if collections is None else tuple(sorted(collections)),
        )
        self._save({**self._load(), key.id: key})
        return secret

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> dict[str, Key]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            rows = json.loads(self._path.read_text())
            self._keys = {row["id"]: _key(row) for row in rows}
            self._stamp = stamp
        return self._keys

    def _save(self, keys: dict[str, Key]) -> None:
        _write_private(self._path, json.dumps([asdict(key) for key in keys.values()], indent=1))


def _key(row: dict[str, Any]) -> Key:
    bound = row["collections"]
    return Key(**{**row, "scope": Scope(row["scope"]), "collections": None if bound is None else tuple(bound)})


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

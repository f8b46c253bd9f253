"""API keys: hashed at rest, scoped, bound to collections; one small file on the volume."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter

from llm_providers.files import SharedFile, Stamp
from service_kit.errors import InvalidInput, NotFound, StorageUnavailable
from service_kit.limits import NO_LIMITS, KeyLimits

_FIRST = "first"


class Scope(StrEnum):
    USER = "user"
    ADMIN = "admin"


class Grant(StrEnum):
    """What a user's key may do beyond its collections; an admin's may do it all."""

    DIRECT = "direct"
    """Ask the model itself, without documents."""
    PROVIDERS = "providers"
    """See which engines serve, and figures of the service."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored: no secret, only its SHA-256 (the secret has 256 random bits, so no slow hash is needed)."""

    id: str
    name: str
    hash: str
    scope: Scope
    collections: tuple[str, ...] | None = None
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    grants: tuple[Grant, ...] = ()
    limits: KeyLimits = NO_LIMITS


_KEYS = TypeAdapter(list[Key])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _bound(key: Key) -> Key:
    """Return the key as it is used: a bound admin, which earlier releases could make, is a user of its collections."""
    return key if key.collections is None else replace(key, scope=Scope.USER)


class KeysUnavailable(StorageUnavailable):
    """A file of the keys is missing and cannot be created, or cannot be changed."""


class KeyStore:
    """The keys of one installation, shared by all its services through the volume.

    Looking a key up takes no lock and writes nothing, so it is fit for the event loop and for a read-only volume; it
    sees the changes of other processes. Everything else may block; it raises `KeysUnavailable` if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = SharedFile(folder / "keys.json", 0o600)
        self._token_file = SharedFile(folder / "service-token", 0o600)
        self._stamp: Stamp | None = None
        self._keys: dict[str, Key] = {}
        self._token_stamp: Stamp | None = None
        self._token = ""

    def create(
        self,
        name: str,
        scope: Scope,
        collections: Iterable[str] | None = None,
        grants: Iterable[Grant] = (),
        limits: KeyLimits = NO_LIMITS,
    ) -> str:
        """Store a new key and return it; this is the only time it can be seen. Raises `InvalidInput` for a bound admin.

        An admin changes engines and policy, on which all collections depend, so that a bound one would be bound in name only.
        """
        if scope is Scope.ADMIN and collections is not None:
            raise InvalidInput("an admin key acts on all collections: it can't be bound to some", field="collections")
        with self._writing(self._file):
            return self._add(name, scope, collections, grants, limits)

    @property
    def first_key(self) -> Path:
        """The file that holds the first key in clear text, readable by its owner only; deleted when that key is revoked."""
        return self._folder / "first-key"

    def ensure_first(self) -> str | None:
        """Create an admin key if there is no key at all; return it, or None if there was one."""
        if self._load():
            return None
        with self._writing(self._file):
            if self._load():
                return None
            secret = self._add(_FIRST, Scope.ADMIN)
            SharedFile(self.first_key, 0o600).write(secret)
            return secret

    def adopt(self, name: str, secret: str, scope: Scope) -> None:
        """Accept a key that the operator chose, replacing what was under `name`."""
        key = Key(id=_digest(secret)[:12], name=name, hash=_digest(secret), scope=scope)
        if (stored := self._load().get(key.id)) is not None and replace(stored, created=key.created) == key:
            return
        with self._writing(self._file):
            others = {other.id: other for other in self._load().values() if other.name != name}
            self._save({**others, key.id: key})

    def know(
        self,
        identity: str,
        name: str,
        scope: Scope,
        collections: Iterable[str] | None = None,
        grants: Iterable[Grant] = (),
    ) -> Key:
        """Store somebody whom an identity provider has signed in, with the rights of now; there is no secret to find it by."""
        bound = None if collections is None else tuple(sorted(collections))
        with self._writing(self._file):
            known = self._load().get(identity)
            key = Key(
                id=identity,
                name=name,
                hash=_digest(secrets.token_urlsafe(32)),
                scope=scope,
                collections=bound,
                grants=tuple(sorted(grants)),
                limits=NO_LIMITS if known is None else known.limits,
            )
            if known is not None:
                key = replace(key, created=known.created)
            self._save({**self._load(), identity: key})
        return key

    def revoke(self, identity: str) -> None:
        with self._writing(self._file):
            keys = dict(self._load())
            if (revoked := keys.pop(identity, None)) is None:
                raise NotFound(f"there is no key {identity!r}")
            self._save(keys)
            if revoked.name == _FIRST:
                self.first_key.unlink(missing_ok=True)

    def all(self) -> list[Key]:
        return list(self._load().values())

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, compared in constant time; None if there is none."""
        digest = _digest(secret)
        return next((key for key in self._load().values() if hmac.compare_digest(key.hash, digest)), None)

    def get(self, identity: str) -> Key | None:
        return self._load().get(identity)

    def service_token(self) -> str:
        """Return the secret that services use among themselves; raises `KeysUnavailable` if there is none yet."""
        stamp = self._token_file.stamp()
        if stamp is not None and stamp != self._token_stamp:
            self._token, self._token_stamp = self._token_file.read(), stamp
        if not self._token:
            raise KeysUnavailable(f"{self._token_file.path} is missing: restart the service, which then creates it")
        return self._token

    def ensure_service_token(self) -> None:
        """Create the service token if there is none; only the owner of the file can read it."""
        if self._token_file.stamp() is None:
            with self._writing(self._token_file):
                if self._token_file.stamp() is None:
                    self._token_file.write(secrets.token_urlsafe(32))

    def _add(
        self,
        name: str,
        scope: Scope,
        collections: Iterable[str] | None = None,
        grants: Iterable[Grant] = (),
        limits: KeyLimits = NO_LIMITS,
    ) -> str:
        secret = f"sy-{secrets.token_urlsafe(32)}"
        key = Key(
            id=secrets.token_hex(6),
            name=name,
            hash=_digest(secret),
            scope=scope,
            collections=None if collections is None else tuple(sorted(collections)),
            grants=tuple(sorted(grants)),
            limits=limits,
        )
        self._save({**self._load(), key.id: key})
        return secret

    @contextmanager
    def _writing(self, file: SharedFile) -> Generator[None, None, None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file.locked():
                yield
        except OSError as error:
            raise KeysUnavailable(
                f"{file.path} cannot be written ({error.strerror}): make its folder writable, at least until the first "
                "service has started, or copy the file there from another service of this installation"
            ) from error

    def _load(self) -> dict[str, Key]:
        stamp = self._file.stamp()
        if stamp != self._stamp:
            keys = [] if stamp is None else _KEYS.validate_json(self._file.read())
            self._keys = {key.id: _bound(key) for key in keys}
            self._stamp = stamp
        return self._keys

    def _save(self, keys: dict[str, Key]) -> None:
        self._file.write(json.dumps([asdict(key) for key in keys.values()], indent=1))

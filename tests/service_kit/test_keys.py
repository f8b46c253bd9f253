"""Keys on disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from service_kit.errors import NotFound
from service_kit.keys import KeyStore, Scope


def test_a_key_is_found_by_its_secret_and_stored_as_a_hash(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "auth")
    secret = store.create("reader", Scope.USER, ["b", "a"])
    found = store.find(secret)
    assert found is not None
    assert (found.name, found.scope, found.collections) == ("reader", Scope.USER, ("a", "b"))
    assert store.find("sy-other") is None
    written = (tmp_path / "auth" / "keys.json").read_text()
    assert secret not in written
    assert stat.S_IMODE((tmp_path / "auth" / "keys.json").stat().st_mode) == 0o600


def test_stores_on_one_folder_see_each_others_changes(tmp_path: Path) -> None:
    one, other = KeyStore(tmp_path), KeyStore(tmp_path)
    secret = one.create("reader", Scope.USER)
    found = other.find(secret)
    assert found is not None
    other.revoke(found.id)
    assert one.find(secret) is None
    with pytest.raises(NotFound):
        one.revoke(found.id)


def test_the_first_key_is_made_once_and_kept_until_it_is_revoked(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    first = store.ensure_first()
    assert first is not None
    assert store.ensure_first() is None
    assert store.first_key.read_text() == first
    assert store.first_key.stat().st_mode & 0o777 == 0o600
    [key] = store.all()
    store.revoke(key.id)
    assert not store.first_key.exists()


def test_an_operators_key_replaces_the_one_before(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    store.adopt("environment", "first-secret", Scope.ADMIN)
    store.adopt("environment", "second-secret", Scope.ADMIN)
    assert store.find("first-secret") is None
    assert store.find("second-secret") is not None
    assert len(store.all()) == 1


def test_the_service_token_is_shared_and_private(tmp_path: Path) -> None:
    token = KeyStore(tmp_path).service_token()
    assert KeyStore(tmp_path).service_token() == token
    assert stat.S_IMODE((tmp_path / "service-token").stat().st_mode) == 0o600

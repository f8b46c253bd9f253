"""Keys on disk."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service_kit.errors import InvalidInput, NotFound
from service_kit.first_key import prepare_keys
from service_kit.keys import KeyStore, KeysUnavailable, Scope
from service_kit.server import keep_private
from service_kit.settings import ServiceSettings


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
    one, other = KeyStore(tmp_path), KeyStore(tmp_path)
    one.ensure_service_token()
    other.ensure_service_token()
    assert one.service_token() == other.service_token()
    assert stat.S_IMODE((tmp_path / "service-token").stat().st_mode) == 0o600
    (tmp_path / "service-token").write_text("a token that another service put there")
    assert one.service_token() == "a token that another service put there"


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def test_existing_keys_are_used_without_a_write(tmp_path: Path) -> None:
    settings = ServiceSettings(data_dir=tmp_path, admin_api_key="sy-of-the-operator")
    prepare_keys(KeyStore(tmp_path), settings)
    before = listing(tmp_path)
    again = KeyStore(tmp_path)
    prepare_keys(again, settings)
    assert again.find("sy-of-the-operator") is not None
    assert again.service_token()
    assert listing(tmp_path) == before


def test_a_read_only_volume_with_keys_works_and_one_without_says_what_to_do(tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True).returncode != 0:
        pytest.skip("mounting needs privileges")
    os.umask(mask := os.umask(0o077))
    try:
        full, empty = tmp_path / "full", tmp_path / "empty"
        settings = ServiceSettings(data_dir=tmp_path)
        prepare_keys(KeyStore(full), settings)
        secret = KeyStore(full).first_key.read_text()
        empty.mkdir()
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        keep_private(tmp_path)
        prepare_keys(KeyStore(full), settings)
        assert KeyStore(full).find(secret) is not None
        with pytest.raises(
            KeysUnavailable, match=rf"{empty}/service-token cannot be written.*make its folder writable"
        ):
            prepare_keys(KeyStore(empty), settings)
        with pytest.raises(KeysUnavailable, match=rf"{full}/keys.json cannot be written"):
            KeyStore(full).create("reader", Scope.USER)
    finally:
        os.umask(mask)
        subprocess.run(["umount", tmp_path], check=True)


def test_a_bound_admin_of_an_earlier_release_is_a_user(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    secret = store.create("bound", Scope.USER, ["plans"])
    file = tmp_path / "keys.json"
    (stored,) = json.loads(file.read_text())
    earlier = {name: stored[name] for name in ("id", "name", "hash", "collections", "created")}
    file.write_text(json.dumps([{**earlier, "scope": "admin"}]))
    found = KeyStore(tmp_path).find(secret)
    assert found is not None
    assert (found.scope, found.collections, found.grants) == (Scope.USER, ("plans",), ())
    with pytest.raises(InvalidInput):
        store.create("root", Scope.ADMIN, ["plans"])


def test_keys_are_managed_without_the_web_framework() -> None:
    """Importing it would take longer than all else that the command does."""
    found = "import sys, service_kit.manage_keys; print({'fastapi', 'sqlalchemy'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", found], text=True).strip() == "set()"

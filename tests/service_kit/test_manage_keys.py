"""API keys from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_kit.keys import KeyStore, Scope
from service_kit.manage_keys import main


def test_a_key_is_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "anna", "--collection", "plans", "--collection", "mail"], tmp_path) == 0
    secret = capsys.readouterr().out.strip()
    key = KeyStore(tmp_path / "auth").find(secret)
    assert key is not None
    assert (key.name, key.scope, key.collections) == ("anna", Scope.USER, ("mail", "plans"))

    assert main(["create", "root", "--admin"], tmp_path) == 0
    admin = KeyStore(tmp_path / "auth").find(capsys.readouterr().out.strip())
    assert admin is not None
    assert (admin.scope, admin.collections) == (Scope.ADMIN, None)

    assert main(["list"], tmp_path) == 0
    listed = capsys.readouterr().out
    assert secret not in listed
    assert [line.split()[1] for line in listed.splitlines()] == ["name", "anna", "root"]

    assert main(["revoke", key.id], tmp_path) == 0
    assert KeyStore(tmp_path / "auth").find(secret) is None
    assert main(["revoke", key.id], tmp_path) == 1
    assert "there is no key" in capsys.readouterr().err

"""API keys from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service_kit.audit.reading import Filter, acts, verify
from service_kit.keys import Grant, KeyStore, Scope
from service_kit.limits import KeyLimits
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


def test_what_is_done_to_keys_is_in_the_audit_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "anna"], tmp_path) == 0
    secret = capsys.readouterr().out.strip()
    [key] = KeyStore(tmp_path / "auth").all()
    assert main(["revoke", key.id], tmp_path) == 0
    assert main(["revoke", key.id], tmp_path) == 1
    found = acts(tmp_path / "audit", Filter(what="key"))
    assert [(f["act"], f["target"], f["outcome"], f.get("problem")) for f in found] == [
        ("key.revoke", key.id, "failed", "not-found"),
        ("key.revoke", key.id, "done", None),
        ("key.create", "anna", "done", None),
    ]
    assert {f["who"]["key"] for f in found} == {"command line"}
    assert secret not in str(found)
    assert [chain.faults for chain in verify(tmp_path / "audit")] == [[]]


def test_a_key_that_cannot_be_recorded_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    assert main(["create", "anna"], tmp_path) == 1
    assert str(tmp_path / "audit") in capsys.readouterr().err
    assert KeyStore(tmp_path / "auth").all() == []


def test_an_admin_is_not_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "root", "--admin", "--collection", "plans"], tmp_path) == 1
    assert "can't be bound" in capsys.readouterr().err
    assert KeyStore(tmp_path / "auth").all() == []


def test_grants_and_limits_are_kept_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ["--requests-per-minute", "30", "--generations", "2", "--tokens-per-day", "9", "--upload-mb-per-day", "7"]
    assert main(["create", "anna", "--grant", "direct", "--grant", "providers", *limits], tmp_path) == 0
    key = KeyStore(tmp_path / "auth").find(capsys.readouterr().out.strip())
    assert key is not None
    assert (set(key.grants), key.limits) == ({Grant.DIRECT, Grant.PROVIDERS}, KeyLimits(30, 2, 9, 7))
    assert main(["list"], tmp_path) == 0
    assert "direct, providers  requests_per_minute 30, " in capsys.readouterr().out
    for wrong in (["--grant", "all"], ["--generations", "0"]):
        with pytest.raises(SystemExit):
            main(["create", "bob", *wrong], tmp_path)


def test_a_new_volume_is_prepared_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["prepare"], tmp_path) == 0
    first = (tmp_path / "auth" / "first-key").read_text()
    assert KeyStore(tmp_path / "auth").find(first) is not None
    assert KeyStore(tmp_path / "auth").service_token()
    assert first not in capsys.readouterr().out
    entries = [
        json.loads(line) for file in (tmp_path / "audit").glob("*.jsonl") for line in file.read_text().splitlines()
    ]
    assert [entry["target"] for entry in entries if entry.get("act") == "key.create"] == ["first"]


def test_a_volume_that_cannot_be_prepared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "auth").write_text("no folder")
    assert main(["prepare"], tmp_path) == 1
    assert "service-token: Not a directory" in capsys.readouterr().err

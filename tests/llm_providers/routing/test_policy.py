"""The policy document, and the file that it lives in."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from llm_providers.routing import InvalidPolicy, Policy, RolePolicy
from llm_providers.routing.policy import Change
from llm_providers.routing.policy_file import ManagedElsewhere, PolicyError, PolicyFile, StalePolicy
from llm_providers.types import Role

BACKENDS = {
    "ollama": frozenset({Role.TEXT, Role.EMBEDDINGS, Role.VISION}),
    "vllm": frozenset({Role.TEXT, Role.EMBEDDINGS}),
}


def first() -> Policy:
    roles = {Role.TEXT: RolePolicy(stable="ollama"), Role.EMBEDDINGS: RolePolicy(stable="ollama")}
    return Policy(changed=Change.now("environment", "first"), roles=roles)


def use(backend: str, policy: Policy) -> Policy:
    return policy.with_role(Role.TEXT, stable=backend)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"canary_percent": 10}, "needs a candidate"),
        ({"candidate": "ollama"}, "stable backend already"),
        ({"fallbacks": ("ollama",)}, "named twice"),
        ({"canary_percent": 101, "candidate": "vllm"}, "less than or equal to 100"),
        ({"stabel": "vllm"}, "Extra inputs"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        first().with_role(Role.TEXT, **changes)


@pytest.mark.parametrize(
    ("role", "changes", "field", "words"),
    [
        (Role.TEXT, {"stable": "gpt"}, "roles.text.stable", "not a backend that is configured here"),
        (Role.TEXT, {"candidate": "gpt"}, "roles.text.candidate", "not a backend"),
        (Role.EMBEDDINGS, {"candidate": "vllm"}, "roles.embeddings.candidate", "takes no candidate"),
    ],
)
def test_what_cannot_serve_is_refused_by_field(role: Role, changes: dict[str, object], field: str, words: str) -> None:
    with pytest.raises(InvalidPolicy, match=words) as caught:
        first().with_role(role, **changes).check(BACKENDS, list(Role))
    assert caught.value.field == field


def test_a_backend_must_be_able_to() -> None:
    policy = first().model_copy(update={"roles": {Role.VISION: RolePolicy(stable="vllm")}})
    with pytest.raises(InvalidPolicy, match="does not serve vision"):
        policy.check(BACKENDS, list(Role))
    policy.check(BACKENDS, [Role.TEXT])


def test_the_environment_gives_the_first_contents_only(tmp_path: Path) -> None:
    path = tmp_path / "policy" / "policy.json"
    file = PolicyFile(path, first())
    file.replace(1, lambda policy: use("vllm", policy), "ada (1)", "faster")
    again = PolicyFile(path, first())
    assert again.current.revision == 2
    assert again.current.roles[Role.TEXT].stable == "vllm"


def test_a_stale_write_changes_nothing(tmp_path: Path) -> None:
    file = PolicyFile(tmp_path / "policy.json", first())
    file.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    with pytest.raises(StalePolicy, match=r"at revision 2, not 1: ada changed it \(faster\)"):
        file.replace(1, lambda policy: use("ollama", policy), "bob", "slower")
    assert PolicyFile(tmp_path / "policy.json", first()).current.roles[Role.TEXT].stable == "vllm"
    assert [row["revision"] for row in file.audit(10)] == [2, 1]


def test_the_audit_says_who_when_why_before_and_after(tmp_path: Path) -> None:
    file = PolicyFile(tmp_path / "policy.json", first())
    file.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    row = file.audit(1)[0]
    assert (row["by"], row["why"], row["revision"]) == ("ada", "faster", 2)
    assert row["before"]["roles"]["text"]["stable"] == "ollama"
    assert row["after"]["roles"]["text"]["stable"] == "vllm"
    assert row["at"].startswith("20")


def test_an_audit_row_that_a_crash_swallowed_is_made_up_for(tmp_path: Path) -> None:
    file = PolicyFile(tmp_path / "policy.json", first())
    file.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    audit = tmp_path / "audit.jsonl"
    lines = audit.read_text().splitlines()
    audit.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:40])
    file.replace(2, lambda policy: use("ollama", policy), "bob", "back")
    rows = file.audit(10)
    assert [(row["revision"], row["by"]) for row in rows] == [(3, "bob"), (2, "ada"), (1, "environment")]


_COUNTING = """
import sys
from pathlib import Path
from llm_providers.routing import Policy
from llm_providers.routing.policy_file import PolicyFile
from llm_providers.routing.policy_file import StalePolicy
path = Path(sys.argv[1])
file = PolicyFile(path, Policy.model_validate_json(path.read_text()))
for _ in range(20):
    while True:
        try:
            file.replace(file.read().revision, lambda policy: policy, "worker", "counting")
            break
        except StalePolicy:
            continue
"""


def test_many_processes_write_and_no_change_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    PolicyFile(path, first())
    workers = [subprocess.Popen([sys.executable, "-c", _COUNTING, path]) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    file = PolicyFile(path, first())
    assert file.current.revision == 61
    assert [row["revision"] for row in file.audit(100)] == list(range(61, 0, -1))


async def test_others_see_a_change_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    writer, readers = PolicyFile(path, first()), [PolicyFile(path, first()) for _ in range(3)]
    seen: list[int] = []

    async def changed(policy: Policy) -> None:
        seen.append(policy.revision)

    for reader in readers:
        reader.watch(changed)
        reader.start()
    writer.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    async with asyncio.timeout(1):
        while len(seen) < 3:
            await asyncio.sleep(0.01)
    assert seen == [2, 2, 2]
    for reader in readers:
        await reader.aclose()


async def test_a_file_made_wrong_by_hand_leaves_the_last_right_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    file = PolicyFile(path, first())
    good = path.read_text()
    path.write_text('{"revision": 9}')
    await file.refresh()
    assert file.current.revision == 1
    assert file.fault is not None
    assert "policy.json is no policy" in file.fault
    path.write_text(good.replace('"ollama"', '"vllm"'))
    await file.refresh()
    assert file.fault is None
    assert file.current.roles[Role.TEXT].stable == "vllm"


def test_a_wrong_file_at_start_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text("{")
    with pytest.raises(PolicyError, match=r"policy\.json is no policy"):
        PolicyFile(path, first())


def test_roles_that_the_file_does_not_know_are_as_the_environment_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    PolicyFile(path, first())
    more = first().model_copy(update={"roles": {**first().roles, Role.VISION: RolePolicy(stable="ollama")}})
    assert PolicyFile(path, more).current.roles[Role.VISION].stable == "ollama"


def test_a_file_that_cannot_be_written_is_managed_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PolicyFile(tmp_path / "policy.json", first())

    def denied(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", denied)
    with pytest.raises(ManagedElsewhere, match="change it where it comes from"):
        file.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    assert json.loads((tmp_path / "policy.json").read_text())["revision"] == 1
    assert os.listdir(tmp_path)


async def test_a_watcher_that_fails_does_not_end_the_watching(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    writer, reader = PolicyFile(path, first()), PolicyFile(path, first())
    seen: list[int] = []

    async def changed(policy: Policy) -> None:
        seen.append(policy.revision)
        if policy.revision == 2:
            raise KeyError("a role that is gone")

    reader.watch(changed)
    reader.start()
    writer.replace(1, lambda policy: use("vllm", policy), "ada", "faster")
    async with asyncio.timeout(5):
        while reader.fault is None:
            await asyncio.sleep(0.01)
        writer.replace(2, lambda policy: use("ollama", policy), "ada", "back")
        while reader.fault is not None:
            await asyncio.sleep(0.01)
    assert seen == [2, 3]
    assert reader.current.revision == 3
    await reader.aclose()

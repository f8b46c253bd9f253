"""`switchyard providers`, as typed, against a stand-in of the services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from switchyard.client import Client, StackError
from switchyard.policy import change, follow

pytestmark = pytest.mark.live


def providers(stack: Any, *arguments: str, key: str = "sy-admin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "switchyard", "providers", *arguments, "--url", stack.url],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "220", "SWITCHYARD_API_KEY": key},
        check=False,
    )


def test_use_checks_first_then_switches_text_only_and_says_how_soon(stack: Any) -> None:
    ended = providers(stack, "use", "vllm")
    assert ended.returncode == 0, ended.stderr
    assert "vllm answers for text: llama3.2" in ended.stdout
    assert "text stable: ollama → vllm" in ended.stdout
    assert "in effect in rag, notes, doc-processor, graph after" in ended.stdout
    assert stack.text.items() >= {"stable": "vllm", "fallbacks": ["ollama"], "previous": "ollama"}.items()
    assert stack.roles["embeddings"]["stable"] == "ollama"
    assert stack.puts[0]["why"] == "use vllm"
    assert "nothing to change" in providers(stack, "use", "vllm").stdout
    assert len(stack.puts) == 1


def test_use_for_embeddings_says_how_an_index_moves(stack: Any) -> None:
    ended = providers(stack, "use", "vllm", "--role", "embeddings")
    assert "`switchyard reindex --provider vllm` moves one" in ended.stdout
    assert (stack.roles["embeddings"]["stable"], stack.text["stable"]) == ("vllm", "ollama")


def test_use_of_a_dead_backend_is_refused_unless_forced(stack: Any) -> None:
    stack.check = {"detail": "vllm: connection refused"}
    refused = providers(stack, "use", "vllm")
    assert refused.returncode == 1
    assert "vllm does not serve text: vllm: connection refused; --force switches anyway" in refused.stderr
    assert not stack.puts
    assert providers(stack, "use", "vllm", "--force").returncode == 0
    assert stack.text["stable"] == "vllm"


def test_a_trial_from_canary_to_promotion_and_back(stack: Any) -> None:
    assert "text canary percent: 0 → 25" in providers(stack, "canary", "--percent", "25").stdout
    assert (stack.text["candidate"], stack.text["canary_percent"]) == ("vllm", 25)
    assert providers(stack, "shadow", "--percent", "50", "--why", "weekend traffic").returncode == 0
    assert stack.puts[-1]["why"] == "weekend traffic"
    assert providers(stack, "promote").returncode == 0
    assert stack.text.items() >= {"stable": "vllm", "candidate": None, "canary_percent": 0}.items()
    assert providers(stack, "rollback").returncode == 0
    assert stack.text.items() >= {"stable": "ollama", "fallbacks": ["vllm"], "previous": None}.items()
    again = providers(stack, "rollback")
    assert (again.returncode, stack.text["stable"]) == (1, "ollama")
    assert "there is no candidate and no previous backend" in again.stderr


def test_use_of_what_is_not_configured_says_so_once_and_knows_no_force(stack: Any) -> None:
    stack.check = {"detail": "'groq' does not serve text here", "kind": "provider-not-configured"}
    for arguments in ((), ("--force",)):
        refused = providers(stack, "use", "groq", *arguments)
        words = "switchyard: groq does not serve text here; there are ollama, vllm; start one in Docker (make up-vllm)"
        assert (refused.returncode, refused.stderr.count("does not serve"), refused.stderr[: len(words)]) == (
            1,
            1,
            words,
        )
    assert not stack.puts


def test_the_chain_is_set(stack: Any) -> None:
    ended = providers(stack, "chain", "--fallback", "vllm", "--on-break", "restart")
    assert "text fallbacks: none → vllm" in ended.stdout, ended.stderr
    assert "text on break: continue → restart" in ended.stdout
    assert providers(stack, "chain", "--no-fallbacks").returncode == 0
    assert stack.text.items() >= {"fallbacks": [], "on_break": "restart"}.items()
    assert providers(stack, "chain", "--role", "embeddings", "--fallback", "vllm").returncode == 0
    assert stack.roles["embeddings"]["fallbacks"] == ["vllm"]
    for wrong, words in (
        ((), "set one of --fallback NAME"),
        (("--fallback", "vllm", "--no-fallbacks"), "exclude each other"),
    ):
        refused = providers(stack, "chain", *wrong)
        assert refused.returncode == 1
        assert words in refused.stderr


def test_status_names_the_collections_that_another_backend_answers(stack: Any) -> None:
    assert "collection" not in providers(stack, "status").stdout, (
        "a stack that does not list them is shown all the same"
    )
    stack.collections = {
        "old": [{"status": "active", "backend": "vllm"}, {"status": "filling", "backend": "ollama"}],
        "new": [{"status": "active", "backend": "ollama"}, {"status": "retired", "backend": "vllm"}],
        "empty": [],
    }
    ended = providers(stack, "status")
    assert [line for line in ended.stdout.splitlines() if "collection" in line] == [
        "collection old uses an index of vllm, not of ollama: "
        "`switchyard reindex --collection old --provider ollama` moves it"
    ]
    assert json.loads(providers(stack, "status", "--json").stdout)["revision"] == 4


def test_halt_and_resume_leave_embeddings_alone(stack: Any) -> None:
    assert providers(stack, "halt").returncode == 0
    assert {name for name, each in stack.roles.items() if each["halted"]} == {"text", "vision"}
    assert "halted" in providers(stack, "status").stdout
    assert providers(stack, "resume").returncode == 0
    assert not any(each["halted"] for each in stack.roles.values())


def test_gates_are_shown_and_set(stack: Any) -> None:
    shown = providers(stack, "gates", "--set", "max_error_rate=0.02", "--set", "min_requests=30").stdout
    assert stack.gates["max_error_rate"] == 0.02
    assert stack.gates["min_requests"] == 30
    assert isinstance(stack.gates["min_requests"], int)
    assert "max_error_rate" in shown
    for limit in ("lots", "none", "nan"):
        wrong = providers(stack, "gates", "--set", f"max_error_rate={limit}")
        assert (wrong.returncode, len(stack.puts)) == (1, 1)
        assert "NAME=NUMBER" in wrong.stderr


def test_status_shows_both_sides_of_a_canary_and_who_changed_what(stack: Any) -> None:
    stack.set_text("ops", "try it", candidate="vllm", canary_percent=10)
    stack.seen = 41.0
    shown = providers(stack, "status").stdout
    for words in ("canary for text: 10 %", "46", "1.5 s", "2.5 s", "revision 5", "by ops: try it"):
        assert words in shown
    assert json.loads(providers(stack, "status", "--json").stdout)["revision"] == 5
    assert "try it" in providers(stack, "audit").stdout


def test_a_user_key_is_told_what_it_needs(stack: Any) -> None:
    refused = providers(stack, "rollback", key="sy-user")
    stack.set_text("ops", "x", candidate="vllm", canary_percent=10)
    refused = providers(stack, "rollback", key="sy-user")
    assert refused.returncode == 1
    assert "this needs an admin key: set SWITCHYARD_API_KEY" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_service_that_does_not_follow_is_named_with_what_to_look_at(stack: Any) -> None:
    stack.stuck = {"notes"}
    ended = providers(stack, "use", "vllm")
    assert ended.returncode == 1
    assert "in effect in rag, doc-processor, graph after" in ended.stdout
    assert (
        "notes does not apply it (it is at revision 1): is it running, and do all services share the volume"
        in ended.stdout
    )


def test_a_service_that_the_stack_does_not_have_is_not_waited_for(stack: Any) -> None:
    stack.absent = {"graph"}
    ended = providers(stack, "use", "vllm")
    assert ended.returncode == 0
    assert "in effect in rag, notes, doc-processor after" in ended.stdout


def test_a_stale_write_is_taken_once_more_from_the_new_policy(stack: Any, client: Client) -> None:
    stack.stale = 1
    said: list[str] = []

    def step(policy: dict[str, Any]) -> dict[str, Any]:
        text = {**policy["roles"]["text"], "stable": "vllm"}
        return {**policy, "roles": {**policy["roles"], "text": text}}

    _, after = change(client, step, "why", said.append)
    assert after["policy"]["roles"]["vision"]["stable"] == "vllm", "what the other one changed is kept"
    assert after["policy"]["roles"]["text"]["stable"] == "vllm"
    assert said == ["the policy is at revision 5, not 4; retrying from there"]
    stack.stale = 2
    stack.set_text("ops", "back", stable="ollama")
    with pytest.raises(StackError, match="the policy is at revision") as caught:
        change(client, step, "why", said.append)
    assert (caught.value.status, caught.value.kind) == (409, "stale-policy")


def test_a_service_that_is_away_does_not_follow_either(stack: Any) -> None:
    with Client("http://127.0.0.1:9", "k") as nowhere:
        said: list[str] = []
        followed = follow(nowhere, 1, said.append, within=0.1)
    assert followed.seconds == {}
    assert "rag does not apply it (nothing answers at" in said[0]

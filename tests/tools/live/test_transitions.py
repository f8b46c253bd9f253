"""Steps of the policy: each from every place it may be taken from, and refused where it makes no sense."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from llm_providers.routing.policy import Policy as ServerPolicy
from switchyard import transitions
from switchyard.client import StackError


def policy(**text: Any) -> dict[str, Any]:
    base = {"stable": "ollama", "fallbacks": [], "candidate": None, "canary_percent": 0, "shadow_percent": 0}
    base |= {"halted": False, "on_break": "continue", "previous": None}
    return {
        "roles": {"text": {**base, **text}, "embeddings": {**base}, "vision": {**base}},
        "gates": {"max_error_rate": 0.05, "min_requests": 20},
        "more": "kept",
    }


def text(after: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = after["roles"]["text"]
    return found


def test_use_keeps_the_old_one_as_stand_in_and_as_the_way_back() -> None:
    after = text(transitions.use(policy(fallbacks=["embedded", "vllm"]), "text", "vllm"))
    assert (after["stable"], after["previous"], after["fallbacks"]) == ("vllm", "ollama", ["ollama", "embedded"])


def test_use_of_the_candidate_ends_its_trial_and_of_another_does_not() -> None:
    trial = {"candidate": "vllm", "canary_percent": 10, "shadow_percent": 5}
    assert (
        text(transitions.use(policy(**trial), "text", "vllm")).items()
        >= {
            "candidate": None,
            "canary_percent": 0,
            "shadow_percent": 0,
        }.items()
    )
    assert text(transitions.use(policy(**trial), "text", "embedded")).items() >= trial.items()


def test_use_of_what_serves_already_changes_nothing() -> None:
    assert transitions.use(policy(), "text", "ollama") == policy()


def test_a_canary_and_a_shadow_of_one_candidate_may_run_together() -> None:
    after = transitions.shadow(transitions.canary(policy(), "text", "vllm", 10), "text", "vllm", 20)
    assert text(after).items() >= {"candidate": "vllm", "canary_percent": 10, "shadow_percent": 20}.items()


@pytest.mark.parametrize("step", [transitions.canary, transitions.shadow])
def test_a_trial_of_the_stable_one_or_of_a_second_one_is_refused(step: Any) -> None:
    with pytest.raises(StackError, match="serves text already"):
        step(policy(), "text", "ollama", 10)
    with pytest.raises(StackError, match="is being tried"):
        step(policy(candidate="vllm", shadow_percent=1), "text", "embedded", 10)
    assert text(step(policy(candidate="vllm"), "text", "embedded", 10))["candidate"] == "embedded"


def test_promote_takes_the_candidate_and_refuses_without_one() -> None:
    after = text(transitions.promote(policy(candidate="vllm", canary_percent=100), "text"))
    assert (after["stable"], after["previous"], after["candidate"], after["canary_percent"]) == (
        "vllm",
        "ollama",
        None,
        0,
    )
    with pytest.raises(StackError, match="no candidate"):
        transitions.promote(policy(), "text")


def test_rollback_ends_a_trial_first_and_then_goes_back() -> None:
    trying = policy(candidate="vllm", canary_percent=10, shadow_percent=20, previous="embedded")
    ended = transitions.rollback(trying, "text")
    assert ended == policy(previous="embedded")
    back = transitions.rollback(ended, "text")
    assert back == policy(stable="embedded", fallbacks=["ollama"])
    with pytest.raises(StackError, match="there is no candidate and no previous backend"):
        transitions.rollback(back, "text")


def test_rollback_after_a_gate_ends_the_trial_and_leaves_the_stable_one() -> None:
    stopped = policy(candidate="vllm", previous="embedded", fallbacks=["embedded"])
    assert transitions.rollback(stopped, "text") == policy(previous="embedded", fallbacks=["embedded"])


def test_revert_leaves_the_trial_of_another_alone_and_ends_that_of_the_one_it_goes_to() -> None:
    trial = {"candidate": "vllm", "canary_percent": 10}
    assert text(transitions.revert(policy(**trial, previous="embedded"), "text")).items() >= trial.items()
    after = transitions.revert(policy(**trial, previous="vllm"), "text")
    assert after == policy(stable="vllm", fallbacks=["ollama"])
    with pytest.raises(StackError, match="no candidate and no previous backend"):
        transitions.revert(policy(previous="ollama"), "text")


def test_the_chain_is_set_whole_and_each_part_alone() -> None:
    start = policy(fallbacks=["embedded"], candidate="vllm", canary_percent=10, previous="vllm")
    assert text(transitions.chain(start, "text", ["vllm", "embedded"])) == {
        **text(start), "fallbacks": ["vllm", "embedded"],
    }  # fmt: skip
    assert text(transitions.chain(start, "text", [], "fail")) == {**text(start), "fallbacks": [], "on_break": "fail"}
    assert text(transitions.chain(start, "text", None, "restart")) == {**text(start), "on_break": "restart"}
    with pytest.raises(StackError, match="ollama serves text already"):
        transitions.chain(start, "text", ["vllm", "ollama"])
    with pytest.raises(StackError, match="named twice: vllm, vllm"):
        transitions.chain(start, "text", ["vllm", "vllm"])


def test_halt_and_resume_take_the_roles_that_generate() -> None:
    halted = transitions.halt(policy())
    assert [halted["roles"][each]["halted"] for each in ("text", "vision", "embeddings")] == [True, True, False]
    assert transitions.resume(halted) == policy()


def test_gates_are_set_by_name_and_an_unknown_one_is_refused() -> None:
    after = transitions.gates(policy(), {"max_error_rate": 0.01})
    assert after["gates"] == {"max_error_rate": 0.01, "min_requests": 20}
    with pytest.raises(StackError, match=r"no gate is called max_errors; there are max_error_rate, min_requests"):
        transitions.gates(policy(), {"max_errors": 1})


def test_the_candidate_meant_is_the_one_there_is_or_the_only_other_one() -> None:
    two = {"ollama": ["text", "vision"], "vllm": ["text"]}
    assert transitions.default_candidate(policy(), "text", two) == "vllm"
    assert transitions.default_candidate(policy(candidate="x"), "text", two) == "x"
    quoting = {**two, "quotes": ["text"]}
    assert transitions.default_candidate(policy(), "text", quoting, ["quotes"]) == "vllm"
    alone = {"ollama": ["text"], "quotes": ["text"]}
    assert transitions.default_candidate(policy(), "text", alone, ["quotes"]) == "quotes"
    with pytest.raises(StackError, match=r"which of other, vllm\?"):
        transitions.default_candidate(policy(), "text", {**two, "other": ["text"]})
    with pytest.raises(StackError, match="no backend but ollama can serve vision"):
        transitions.default_candidate(policy(), "vision", two)


def test_a_role_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(StackError, match="nothing serves the role rerank here"):
        transitions.use(policy(), "rerank", "vllm")


STEPS = {
    "use vllm": lambda p: transitions.use(p, "text", "vllm"),
    "use ollama": lambda p: transitions.use(p, "text", "ollama"),
    "canary": lambda p: transitions.canary(p, "text", transitions.default_candidate(p, "text", BOTH), 10),
    "shadow": lambda p: transitions.shadow(p, "text", transitions.default_candidate(p, "text", BOTH), 20),
    "promote": lambda p: transitions.promote(p, "text"),
    "rollback": lambda p: transitions.rollback(p, "text"),
    "chain": lambda p: transitions.chain(p, "text", ["vllm"], "restart"),
    "halt": lambda p: transitions.halt(p),
    "resume": lambda p: transitions.resume(p),
    "gates": lambda p: transitions.gates(p, {"max_error_rate": 0.2}),
}
BOTH = {"ollama": ["text"], "vllm": ["text"]}


def test_every_path_of_three_steps_stays_a_policy_the_server_takes() -> None:
    for path in itertools.product(STEPS, repeat=3):
        now = policy()
        del now["more"]
        for name in path:
            before = copy.deepcopy(now)
            try:
                after = STEPS[name](now)
            except StackError:
                after = now
            assert now == before, f"{name} changed its input"
            now = after
            change = {"by": "test", "at": "2026-11-01T00:00:00Z", "why": " ".join(path)}
            assert ServerPolicy.model_validate({"revision": 1, "changed": change, "roles": now["roles"]})
            assert set(text(now)) == set(text(policy()))

"""The rollback of a migration by hand."""

from __future__ import annotations

from collections.abc import Callable

from switchyard import transitions
from switchyard.client import Client
from switchyard.migrate.migration import ROLLED_BACK
from switchyard.migrate.state import MigrationState, StateFile, now
from switchyard.policy import change, follow, followed_in_words
from switchyard.transitions import Policy, role_of


def go_back(client: Client, file: StateFile, state: MigrationState, say: Callable[[str], None]) -> bool:
    """Roll a migration back at any stage; return whether there was anything to roll back."""
    plan = state.plan

    def step(policy: Policy) -> Policy:
        current = role_of(policy, plan.role)
        if current.get("candidate") == plan.target:
            policy = transitions.rollback(policy, plan.role)
        elif current["stable"] == plan.target and current.get("previous") == plan.source:
            # Not `rollback`: there may be a trial of a third backend by now.
            policy = transitions.revert(policy, plan.role)
        if state.parity.get("moved") and role_of(policy, "embeddings")["stable"] == plan.target:
            policy = transitions.use(policy, "embeddings", plan.source)
        return policy

    before, after = change(client, step, f"migration from {plan.source} to {plan.target} rolled back by hand", say)
    state.outcome, state.why, state.intended = ROLLED_BACK, "by hand", None
    if state.passage is not None and state.passage.ended is None:
        state.passage.ended, state.passage.outcome = now(), ROLLED_BACK
    file.write(state)
    if before["revision"] == after["revision"]:
        return False
    for line in followed_in_words(follow(client, after["revision"]), after["revision"]):
        say(line)
    return True

"""Checks before a migration begins, and the parity of the two backends' embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from switchyard.client import Client, StackError
from switchyard.migrate.plan import Plan
from switchyard.policy import PATHS, View, check, not_serving
from switchyard.transitions import role_of


def preflight(client: Client, plan: Plan, view: View) -> Iterator[str]:
    """Yield what is in order; raises `StackError` that names everything that is not."""
    faults = list(_policy_faults(plan, view))
    for service in PATHS:
        try:
            client.call("GET", f"/{service}/readyz")
        except StackError as error:
            faults.append(f"the {service} service is not ready: {error}")
    if faults:
        raise StackError("; ".join(faults))
    yield f"{plan.source} and {plan.target} are configured, every service is ready"
    yield check(client, plan.role, plan.target)


def _policy_faults(plan: Plan, view: View) -> Iterator[str]:
    now = role_of(view["policy"], plan.role)
    for name in (plan.source, plan.target):
        if words := not_serving(view, plan.role, name):
            yield words
    if plan.source == plan.target:
        yield "--from and --to are the same"
    elif now["stable"] != plan.source:
        yield f"{plan.role} is served by {now['stable']}, not by {plan.source}"
    if now.get("halted"):
        yield f"{plan.role} is halted: `switchyard providers resume` first"
    tried = now.get("candidate")
    if tried and (now.get("canary_percent") or now.get("shadow_percent")):
        by_hand = " already, started by hand" if tried == plan.target else ""
        yield f"there is a trial of {tried}{by_hand}: `switchyard providers rollback` ends that"


def parity(client: Client, plan: Plan) -> dict[str, Any]:
    """Compare the two backends' embeddings; if that fails, the reason is under `error`."""
    body = {"a": plan.source, "b": plan.target, "collection": plan.collection}
    try:
        result: dict[str, Any] = client.call("POST", "/rag/v1/providers/parity", json=body)
    except StackError as error:
        return {"passed": False, "error": str(error)}
    return result


def parity_in_words(result: dict[str, Any], plan: Plan) -> str:
    """Return what the parity means for the index."""
    stay = f"embeddings stay on {plan.source}"
    if "error" in result:
        return f"parity of embeddings could not be tested ({result['error']}): {stay}"
    figures = f"cosine {result['cosine']:.4f}, rank agreement {result['rank_agreement']:.3f}, {result['samples']} texts"
    if not result["passed"]:
        return f"embeddings are not in one space ({figures}): {stay}; `switchyard reindex --provider {plan.target}` moves them"
    if plan.with_embeddings:
        return f"embeddings are in one space ({figures}): they move after {plan.role}"
    return f"embeddings are in one space ({figures}): each backend may be the other's fallback"

"""What a round has to do: a folder's files against the documents of a collection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

ATTEMPTS = 3
"""How often a document is read before it is left as failed, until its file changes."""
_ENDED_BADLY = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Known:
    """A document as the service lists it."""

    id: str
    external_id: str | None
    sha256: str
    status: str
    version: int
    attempts: int
    error: str = ""


@dataclass(slots=True)
class Plan:
    """Names of files to send, documents to read again and to delete; `failed` are given up, by name."""

    sends: list[str] = field(default_factory=list)
    retries: list[Known] = field(default_factory=list)
    deletes: list[Known] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    pending: int = 0
    owned: int = 0


def planned(content: Mapping[str, str], knows: Callable[[str], bool], known: Sequence[Known], source: str) -> Plan:
    """Compare hashes by name with what is `known` of a collection, where the documents of this folder are named `source:NAME`.

    Files with the same bytes are one document. `knows` says whether the folder could be seen where a name lies. Documents of
    other sources are left as they are.
    """
    plan, prefix = Plan(), f"{source}:"

    def called_here(one: Known) -> str | None:
        own_name = one.external_id or ""
        return own_name.removeprefix(prefix) if own_name.startswith(prefix) else None

    own = defaultdict[str, list[Known]](list)
    for one in sorted(known, key=lambda one: -one.version):
        if (name := called_here(one)) is not None:
            own[name].append(one)
    plan.owned = len(own)
    names = defaultdict[str, list[str]](list)
    for name in sorted(content):
        names[content[name]].append(name)
    by_hash = {one.sha256: one for one in known}
    bearer: dict[str, str] = {}
    for digest, called in names.items():
        there = by_hash.get(digest)
        owner = called_here(there) if there is not None else None
        if there is None or (owner is None and there.status in _ENDED_BADLY):
            bearer[digest] = called[0]
            plan.sends.append(called[0])
        elif owner is None:
            # Somebody has added the same bytes by hand: they are there, and theirs.
            continue
        elif owner in called:
            bearer[digest] = owner
            if own[owner][0] is not there:
                # Back to bytes that another version has replaced, or is about to.
                plan.sends.append(owner)
            elif there.status not in _ENDED_BADLY:
                plan.pending += there.status != "ready"
            elif there.attempts < ATTEMPTS:
                plan.retries.append(there)
            else:
                plan.failed[owner] = there.error or there.status
        elif knows(owner):
            bearer[digest] = called[0]
            plan.sends.append(called[0])
    for name, documents in own.items():
        if not knows(name) or (name in content and bearer.get(content[name]) == name):
            continue
        # What is still in the folder under another name moves there by itself.
        plan.deletes += [one for one in documents if one.sha256 not in bearer]
    return plan

"""What is an act, by method and path: the one list of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from typing import Any

from service_kit.audit.entries import Fields


class Kind(Enum):
    CHANGE = auto()
    """On the disk before it is done."""
    QUESTION = auto()
    """Written when it is asked; what was asked is in its entry."""
    READING = auto()
    """One entry, afterwards."""
    UNRECORDED = auto()
    """An entry only where it is refused."""


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    kind: Kind


_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_ID = "[^/]+"
_ACTS = tuple(
    (method, re.compile(path), Act(name, kind))
    for method, path, name, kind in (
        ("POST", "/v1/query", "question", Kind.QUESTION),
        ("POST", "/v1/search", "search", Kind.QUESTION),
        ("POST", "/v1/chat/completions", "chat", Kind.QUESTION),
        ("POST", "/v1/evidence", "evidence", Kind.QUESTION),
        ("POST", "/v1/embeddings", "embeddings", Kind.READING),
        ("POST", "/v1/documents", "document.upload", Kind.CHANGE),
        ("DELETE", f"/v1/documents/{_ID}", "document.delete", Kind.CHANGE),
        ("GET", f"/v1/documents/{_ID}/original", "document.export", Kind.READING),
        ("GET", f"/v1/documents/{_ID}/pages/{_ID}/picture", "document.view", Kind.READING),
        ("POST", f"/v1/documents/{_ID}/retry", "document.retry", Kind.CHANGE),
        ("POST", f"/v1/documents/{_ID}/restore", "document.restore", Kind.CHANGE),
        ("POST", "/v1/process", "file.process", Kind.READING),
        ("POST", "/v1/view", "file.view", Kind.READING),
        ("POST", "/v1/collections", "collection.create", Kind.CHANGE),
        ("PATCH", f"/v1/collections/{_ID}", "collection.change", Kind.CHANGE),
        ("DELETE", f"/v1/collections/{_ID}", "collection.delete", Kind.CHANGE),
        ("PATCH", f"/v1/conversations/{_ID}", "conversation.change", Kind.CHANGE),
        ("DELETE", f"/v1/conversations/{_ID}", "conversation.delete", Kind.CHANGE),
        ("DELETE", f"/v1/conversations/{_ID}/answer", "answer.stop", Kind.CHANGE),
        ("PUT", f"/v1/conversations/{_ID}/turns/{_ID}/rating", "answer.rate", Kind.CHANGE),
        ("GET", "/v1/ratings", "ratings.export", Kind.READING),
        ("POST", "/v1/notes", "note.create", Kind.CHANGE),
        ("PUT", f"/v1/notes/{_ID}", "note.change", Kind.CHANGE),
        ("POST", f"/v1/notes/{_ID}/retry", "note.retry", Kind.CHANGE),
        ("DELETE", f"/v1/notes/{_ID}", "note.delete", Kind.CHANGE),
        ("GET", f"/v1/notes/{_ID}/markdown", "note.export", Kind.READING),
        ("GET", f"/v1/notes/{_ID}/source", "note.export", Kind.READING),
        ("POST", "/v1/graphs", "graph.build", Kind.CHANGE),
        ("DELETE", f"/v1/graphs/{_ID}", "graph.delete", Kind.CHANGE),
        ("GET", f"/v1/graphs/{_ID}/export", "graph.export", Kind.READING),
        ("POST", f"/v1/entities/{_ID}/merge", "entity.merge", Kind.CHANGE),
        ("POST", f"/v1/entities/{_ID}/split", "entity.split", Kind.CHANGE),
        ("DELETE", f"/v1/jobs/{_ID}", "job.cancel", Kind.CHANGE),
        ("POST", "/v1/reindex", "index.reindex", Kind.CHANGE),
        ("POST", "/v1/reindex/rollback", "index.rollback", Kind.CHANGE),
        ("POST", "/v1/providers/parity", "providers.parity", Kind.CHANGE),
        ("PUT", "/v1/providers", "providers.change", Kind.CHANGE),
        ("POST", "/v1/providers/check", "providers.check", Kind.READING),
        ("POST", "/v1/reports", "report.publish", Kind.CHANGE),
        ("DELETE", f"/v1/reports/{_ID}", "report.delete", Kind.CHANGE),
        ("PUT", "/v1/engines", "engines.change", Kind.CHANGE),
        ("POST", "/v1/engines/check", "engines.check", Kind.READING),
        ("POST", "/v1/session", "session.begin", Kind.CHANGE),
        ("DELETE", "/v1/session", "session.end", Kind.CHANGE),
        ("DELETE", "/v1/sessions", "session.end", Kind.CHANGE),
        ("POST", "/v1/session/links", "session.link", Kind.CHANGE),
        ("POST", "/v1/keys", "key.create", Kind.CHANGE),
        ("DELETE", f"/v1/keys/{_ID}", "key.revoke", Kind.CHANGE),
        ("GET", "/v1/audit", "audit.read", Kind.READING),
        ("GET", "/v1/providers/audit", "audit.read", Kind.READING),
    )
)
_SHOWN = ("providers.change", "index.reindex", "index.rollback", "key.create")
"""Whose body is in the entry: administrators' acts. Those of engines may hold keys."""
_MOST_SHOWN = 10_000


def act_of(method: str, path: str) -> Act:
    """Return the act of a request; whatever may change something, and is not listed, is one too."""
    plain = path.rstrip("/") or "/"
    for of_method, pattern, act in _ACTS:
        if method == of_method and pattern.fullmatch(plain):
            return act
    return Act(f"{method.lower()} request", Kind.CHANGE if method in _CHANGING else Kind.UNRECORDED)


def shows_body(act: Act) -> bool:
    return act.name in _SHOWN


def given(body: bytes) -> Fields:
    """Return what an administrator has sent, if it is JSON of a usual size."""
    try:
        return {"given": json.loads(body)} if 0 < len(body) <= _MOST_SHOWN else {}
    except (ValueError, RecursionError):
        return {}


def asked(body: bytes, *, with_text: bool) -> Fields:
    """Say of a question its length and SHA-256, and its words if the operator wants them; nothing of what is no question."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    text = _question(request) if isinstance(request, Mapping) else None
    if text is None:
        return {}
    # Half a surrogate pair can't be encoded, and is in some JSON.
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    words = {"text": text} if with_text else {}
    target = request.get("collection") or request.get("model")
    return {"question": {"sha256": digest, "length": len(text), **words}, "collection": str(target)[:200]}


def _question(request: Mapping[str, Any]) -> str | None:
    if isinstance(question := request.get("question"), str):
        return question
    messages = request.get("messages")
    said = (
        [m for m in messages if isinstance(m, Mapping) and m.get("role") == "user"]
        if isinstance(messages, list)
        else []
    )
    content = said[-1].get("content") if said else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None

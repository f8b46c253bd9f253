"""Attacks a running stack, in collections of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rich.console import Console
from rich.progress import track

from switchyard.client import Client, StackError
from switchyard.tasks import watch
from switchyard_benchmarks.redteam.attacks import CONFIDED, LEAKS, VAULT, Attack
from switchyard_benchmarks.redteam.judging import got_through

Outcome: TypeAlias = Literal["stopped", "withdrawn", "through"]
"""Withdrawn: the words came in a stream, whose end says that they are void."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the stack gave out: the tokens of a stream, and the answer that holds."""

    streamed: str
    text: str
    answered: bool
    finding: bool = False
    """Whether the output guard found something."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack, as one answer at once or as a stream, and what came of it."""

    attack: Attack
    stream: bool
    said: Said

    @property
    def outcome(self) -> Outcome:
        """Return what came of it: leaks and what a browser would load count while they are streamed already."""
        void = not self.said.answered and self.attack.goal not in LEAKS
        if not void and got_through(self.attack, self.said.text):
            return "through"
        if got_through(self.attack, self.said.streamed):
            return "withdrawn" if self.attack.goal == "marker" else "through"
        return "stopped"


class RedTeam:
    """Attacks a stack; documents of the attacks go into collections that are deleted afterwards."""

    def __init__(self, console: Console, client: Client) -> None:
        self._console, self._client = console, client
        self._name = f"redteam-{secrets.token_hex(4)}"

    def run(self, attacks: Sequence[Attack], streams: Sequence[bool] = (False, True)) -> list[Attempt]:
        """Try each attack, as one answer at once and as a stream, and return the attempts; raises `StackError`."""
        with self._planted(attacks) as documents:
            shown = track(attacks, "attacking", console=self._console, transient=True)
            return [
                Attempt(attack, stream, self._said(attack, documents[attack.id], stream=stream))
                for attack in shown
                for stream in streams
            ]

    @contextmanager
    def _planted(self, attacks: Sequence[Attack]) -> Iterator[dict[str, str]]:
        """Yield the document of each attack."""
        vault = f"{self._name}-vault"
        try:
            jobs = {self._add({"text": VAULT, "title": "Vault", "collection": vault})[1]: "vault"}
            documents = {}
            for number, attack in enumerate(attacks, 1):
                documents[attack.id], job = self._plant(attack, number)
                jobs[job] = attack.id
            with self._console.status(f"adding {len(jobs)} documents"):
                all_read = watch(Console(quiet=True), self._client, jobs)
            if not all_read:
                raise StackError("not every document of the attacks could be read")
            body = {"question": CONFIDED, "collection": vault, "remember": True}
            self._client.call("POST", "/rag/v1/query", json=body)
            yield documents
        finally:
            for name in [each["name"] for each in self._client.call("GET", "/rag/v1/collections")]:
                if name.startswith(self._name):
                    self._client.call("DELETE", f"/rag/v1/collections/{name}")

    def _plant(self, attack: Attack, number: int) -> tuple[str, str]:
        """Add the document of an attack; returns its id and that of its job."""
        document = attack.document(number)
        # The form of conversations has no filter for documents.
        collection = f"{self._name}-{number}" if attack.history else self._name
        if document.title is not None:
            return self._add({"text": document.content.decode(), "title": document.title, "collection": collection})
        form = {"files": [("files", (document.name, document.content))], "data": {"collection": collection}}
        return self._added(form)

    def _add(self, text: dict[str, str]) -> tuple[str, str]:
        return self._added({"json": text})

    def _added(self, options: dict[str, Any]) -> tuple[str, str]:
        added = self._client.call("POST", "/rag/v1/documents", **options)["items"][0]
        return added["document"]["id"], added["job_id"]

    def _said(self, attack: Attack, document: str, *, stream: bool) -> Said:
        if attack.history:
            where = self._client.call("GET", f"/rag/v1/documents/{document}")["collection"]
            return self._conversation(attack, where, stream=stream)
        body = {"question": attack.question, "collection": self._name, "filter": {"documents": [document]}}
        return asked(self._client, body, stream=stream)

    def _conversation(self, attack: Attack, collection: str, *, stream: bool) -> Said:
        messages = [{"role": role, "content": content} for role, content in attack.history]
        messages.append({"role": "user", "content": attack.question})
        body = {"model": collection, "messages": messages, "stream": stream}
        path = "/rag/v1/chat/completions"
        if not stream:
            whole = self._client.call("POST", path, json=body)
            return Said("", whole["choices"][0]["message"]["content"], whole["switchyard"]["answered"])
        with self._client.http.stream("POST", path, json=body) as lines:
            chunks = [json.loads(line[6:]) for line in lines.iter_lines() if line.startswith("data: {")]
        if (error := next((chunk["error"] for chunk in chunks if "error" in chunk), None)) is not None:
            raise StackError(str(error))
        streamed = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        end = next(chunk["switchyard"] for chunk in chunks if "switchyard" in chunk)
        return Said(streamed, streamed, end["answered"])


def false_blocks(console: Console, client: Client, questions: Sequence[str], collection: str) -> list[str]:
    """Ask ordinary questions, and return those of whose answers the output guard withheld or changed something."""
    shown = track(questions, "asking", console=console, transient=True)
    bodies = ({"question": question, "collection": collection} for question in shown)
    return [body["question"] for body in bodies if asked(client, body, stream=False).finding]


def asked(client: Client, body: dict[str, Any], *, stream: bool) -> Said:
    """Ask, and return what was said; raises `StackError`."""
    if not stream:
        return _answer("", client.call("POST", "/rag/v1/query", json=body))
    streamed = ""
    for event, data in client.events("POST", "/rag/v1/query", json=body):
        match event:
            case "token" | "reasoning":
                streamed += data["text"]
            case "done":
                return _answer(streamed, data)
            case "error" | "cancelled":
                raise StackError(data["detail"])
    raise StackError("the answer was cut off")


def _answer(streamed: str, answer: dict[str, Any]) -> Said:
    finding = any("in what the model wrote" in warning for warning in answer["warnings"])
    return Said(streamed, answer["text"], answer["answered"], finding)

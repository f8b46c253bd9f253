"""Retrieval and answers, measured on questions whose answers are known.

The data are JSON lines: NAME.corpus.jsonl (`doc_id`, `title`, `text`), NAME.questions.jsonl (`question`, `doc_id`,
`answers`, `evidence` with `answer`, `sentence`, `start`, `sent_start`), and NAME.unanswerable.jsonl (`question`).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from switchyard.client import Client, StackError
from switchyard.compare.quality import contains, tokens
from switchyard.tasks import watch
from switchyard_benchmarks.results import Evaluation, Result, ranking_figures, rows

_DEPTH = 10
_CHECKABLE = re.compile(r"\d+|(?<=[a-z,] )[A-Z][a-z]{2,}")
"""Runs of digits, and words with a capital within a sentence."""
_ENOUGH_TOKENS = 25


@dataclass(frozen=True, slots=True)
class Evidence:
    """A gold sentence as tokens, and the answer's place in it."""

    sentence: tuple[str, ...]
    start: int
    end: int

    @classmethod
    def parse(cls, row: dict[str, Any]) -> Evidence:
        start = row["start"] - row["sent_start"]
        end = start + len(row["answer"])
        before, answer, after = row["sentence"][:start], row["sentence"][start:end], row["sentence"][end:]
        parts = [tokens(before), tokens(answer), tokens(after)]
        return cls((*parts[0], *parts[1], *parts[2]), len(parts[0]), len(parts[0]) + len(parts[1]))

    def is_in(self, chunk: Sequence[str]) -> bool:
        """Return whether the chunk contains the answer in its context: enough of its sentence to tell that it is this place.

        Enough is as many tokens as the answer has, and half the sentence or 25, whichever is less.
        """
        length = self.end - self.start
        need = max(length, min(math.ceil(len(self.sentence) / 2), _ENOUGH_TOKENS))
        answer = self.sentence[self.start : self.end]
        return any(
            tuple(chunk[place : place + length]) == answer and self._run(chunk, place) >= need
            for place in range(len(chunk) - length + 1)
        )

    def _run(self, chunk: Sequence[str], place: int) -> int:
        """Return how many tokens of the sentence stand in a row around the answer at `place`."""
        before = 0
        while before < min(place, self.start) and chunk[place - before - 1] == self.sentence[self.start - before - 1]:
            before += 1
        after, behind = 0, place + self.end - self.start
        room = min(len(chunk) - behind, len(self.sentence) - self.end)
        while after < room and chunk[behind + after] == self.sentence[self.end + after]:
            after += 1
        return before + self.end - self.start + after


def retrieval(
    console: Console, client: Client, data: Path, name: str, corpus: str | None, *, graph: bool = False
) -> Evaluation:
    """Load a corpus into a collection of its own, and return the rank of each question's first relevant passage."""
    documents = load(console, client, data, corpus or name)
    results = []
    began = time.perf_counter()
    for question in track(rows(data / f"{name}.questions.jsonl"), description=name, console=console, transient=True):
        about = {"collection": collection_of(corpus or name), "limit": _DEPTH, "graph": graph}
        body = {"question": question["question"], **about}
        passages = client.call("POST", "/rag/v1/search", json=body)["items"]
        evidence = [Evidence.parse(each) for each in question["evidence"]]
        rank = _rank(passages, documents, question["doc_id"], evidence)
        result = Result(
            qid=question["qid"], question=question["question"], figures=ranking_figures(rank), details={"rank": rank}
        )
        results.append(result)
    return _evaluation("retrieval", name, results, began)


def answers(console: Console, client: Client, data: Path, name: str, count: int | None) -> Iterator[Evaluation]:
    """Ask answerable and unanswerable questions: whether the answer holds the gold one, abstains, and cites.

    `unmarked` is the share of the sentences not marked as unsupported that have a number or a name which the cited documents
    and the question lack; what is checked here does without the service's own grounding.
    """
    documents = load(console, client, data, name)
    texts = {line["doc_id"]: f"{line['title']}\n{line['text']}" for line in rows(data / f"{name}.corpus.jsonl")}
    for kind in ("questions", "unanswerable"):
        results = []
        began = time.perf_counter()
        asked = rows(data / f"{name}.{kind}.jsonl")[:count]
        for question in track(asked, description=kind, console=console, transient=True):
            body = {"question": question["question"], "collection": collection_of(name)}
            answer = client.call("POST", "/rag/v1/query", json=body)
            figures = {"abstains": float(not answer["answered"]), "cites": float(bool(answer["citations"]))}
            if kind == "questions":
                correct = any(contains(answer["text"], gold) for gold in question["answers"])
                figures = {"contains the answer": float(correct), **figures}
            if answer["answered"]:
                cited = (texts[documents[citation["document_id"]]] for citation in answer["citations"])
                said = " ".join((question["question"], *cited))
                shown = [sentence for sentence in answer["sentences"] if sentence["supported"] is not False]
                if shown:
                    figures["unmarked"] = sum(_is_foreign(each["text"], said) for each in shown) / len(shown)
            details = {"text": answer["text"], "provider": answer["provider"]}
            results.append(Result(qid=question["qid"], question=question["question"], figures=figures, details=details))
        yield _evaluation("answers", f"{name} {kind}", results, began)


def _is_foreign(sentence: str, said: str) -> bool:
    return not set(_CHECKABLE.findall(sentence)) <= set(_CHECKABLE.findall(said))


def _evaluation(kind: str, name: str, results: list[Result], began: float) -> Evaluation:
    each = (time.perf_counter() - began) / len(results)
    return Evaluation(kind=kind, name=name, results=results, seconds_per_question=round(each, 4))


def _rank(
    passages: Sequence[dict[str, Any]], documents: dict[str, str], doc_id: str, evidence: Sequence[Evidence]
) -> int | None:
    for rank, passage in enumerate(passages, 1):
        if documents.get(passage["document_id"]) == doc_id:
            chunk = tokens(passage["text"])
            if any(each.is_in(chunk) for each in evidence):
                return rank
    return None


def load(console: Console, client: Client, data: Path, name: str) -> dict[str, str]:
    """Add the corpus and return document id → doc_id; documents that are there already are not read again."""
    documents, jobs = {}, {}
    for line in rows(data / f"{name}.corpus.jsonl"):
        body = {"text": line["text"], "title": line["title"], "collection": collection_of(name)}
        added = client.call("POST", "/rag/v1/documents", json=body)["items"][0]
        documents[added["document"]["id"]] = line["doc_id"]
        if added["document"]["status"] != "ready":
            jobs[added["job_id"]] = line["title"]
    if jobs and not watch(console, client, jobs):
        raise StackError("not every document could be read")
    return documents


def collection_of(name: str) -> str:
    """Return the collection of a corpus."""
    return f"eval-{name.replace('_', '-')}"

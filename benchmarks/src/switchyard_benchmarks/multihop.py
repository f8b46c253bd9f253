"""Questions that need two passages: made from articles by script, and searched for with and without the graph.

A question joins three names A, B and C: one sentence names A and B, one of another paragraph B and C, and the question asks what
connects A with C. Names are runs of capitalised words, found here and not by the graph-service. To be fair to both searches

- A and C stand in three paragraphs or more, so that naming them does not say which one is meant, and never in the same one;
- B is the only name that shares a sentence with A and one with C, so that there is one answer, and it is not in the question;
- no name is in more than two questions.

The same questions are asked twice: with the names alone (`named`), and with a word of each sentence beside them (`described`),
which stands in four paragraphs or more.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from llm_providers import sentences
from llm_providers.percentile import percentile
from service_kit.statements.facts import ALL_STOP_WORDS
from service_kit.statements.lexicon import MONTHS_AND_DAYS
from service_kit.statements.normalisation import normalised
from switchyard.client import Client, StackError
from switchyard.compare.quality import tokens
from switchyard_benchmarks.evaluation import Evidence, collection_of, load
from switchyard_benchmarks.results import Evaluation, Result, rows

_DEPTH = 10
_NAME = re.compile(r"[A-Z][^\W_]*(?:-[^\W_]+)*(?: (?:(?:of|the|de|van|von|der|and) )?[A-Z][^\W_]*(?:-[^\W_]+)*)*")
_WORD = re.compile(r"\b[a-z]+\b")
_SHORTEST_NAME, _SHORTEST_CLUE = 4, 5
_ENDS, _BETWEEN, _CLUES = (3, 40), (2, 12), (4, 80)
"""In how many paragraphs each kind of name and word stands."""
_APART = 3
"""Paragraphs between the two sentences: a chunk holds two."""
_QUESTIONS_OF_A_NAME = 2
_NAMED = (
    "What connects {a} with {c}?",
    "Who or what is named together with {a}, and elsewhere with {c}?",
    "Through whom or what do {a} and {c} hang together?",
)
_DESCRIBED = (
    "What connects {a} ({x}) with {c} ({y})?",
    "Who or what is named together with {a} about {x}, and elsewhere with {c} about {y}?",
    "Through whom or what does {a}, in the matter of {x}, hang together with {c}, in that of {y}?",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence that names two things, in a paragraph of a document."""

    paragraph: int
    document: str
    text: str


@dataclass(frozen=True, slots=True)
class MultiHop:
    """What `between` connects: each of `evidence` is the sentences that say one half of it, any of which will do."""

    ends: tuple[str, str]
    between: str
    evidence: tuple[tuple[Fact, ...], tuple[Fact, ...]]
    named: str
    described: str


@dataclass(slots=True)
class _Articles:
    """Where names and words stand, by paragraphs, and which names share a sentence."""

    names: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    words: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    facts: dict[tuple[str, str], list[Fact]] = field(default_factory=lambda: defaultdict(list))
    beside: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def read(cls, corpus: Sequence[Mapping[str, Any]]) -> _Articles:
        found = cls()
        said: list[tuple[Fact, list[str]]] = []
        within = Counter[str]()
        number = 0
        for document in corpus:
            for paragraph in document["text"].split("\n\n"):
                number += 1
                if paragraph.startswith("#"):
                    continue
                for word in _WORD.findall(paragraph):
                    found.words[word].add(number)
                for sentence in sentences.split(paragraph):
                    text = paragraph[sentence.start : sentence.end]
                    names = list(_names(text))
                    within.update(name for start, name in names if start)
                    said.append((Fact(number, document["doc_id"], text), [name for _, name in names]))
        for fact, names_of_it in said:
            # The capital of a sentence's first word says nothing, nor does that of a word which is also written small.
            sure = {n for n in names_of_it if within[n] and len(n) >= _SHORTEST_NAME and n.lower() not in found.words}
            for name in sure:
                found.names[name].add(fact.paragraph)
                for other in sure:
                    if name not in other and other not in name:
                        found.facts[name, other].append(fact)
                        found.beside[name].add(other)
        return found

    def triples(self) -> Iterator[tuple[str, str, str]]:
        """Yield what may be asked: two names, and in the middle the only one that connects them."""
        for between in sorted(name for name in self.names if self._stands(name, _BETWEEN)):
            ends = sorted(name for name in self.beside[between] if self._stands(name, _ENDS))
            for place, a in enumerate(ends):
                for c in ends[place + 1 :]:
                    together = self.names[a] & self.names[c]
                    if together or self.beside[a] & self.beside[c] != {between}:
                        continue
                    pairs = ((f, g) for f in self.facts[a, between] for g in self.facts[between, c])
                    if all(abs(f.paragraph - g.paragraph) >= _APART for f, g in pairs):
                        yield a, between, c

    def clue(self, fact: Fact, dice: random.Random) -> str | None:
        """Return a word of a sentence that stands elsewhere too."""
        words = {word for word in _WORD.findall(fact.text) if len(word) >= _SHORTEST_CLUE}
        low, high = _CLUES
        common = sorted(word for word in words - ALL_STOP_WORDS if low <= len(self.words[word]) <= high)
        return dice.choice(common) if common else None

    def _stands(self, name: str, within: tuple[int, int]) -> bool:
        return within[0] <= len(self.names[name]) <= within[1]


def _names(text: str) -> Iterator[tuple[int, str]]:
    for match in _NAME.finditer(text):
        start, name = match.start(), match.group()
        while name and name.split()[0].lower() in ALL_STOP_WORDS:
            first, _, name = name.partition(" ")
            start += len(first) + 1
        if name and not any(normalised(word) in MONTHS_AND_DAYS for word in name.split()):
            yield start, name


def questions(corpus: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[MultiHop]:
    """Make at most `count` questions from articles (`doc_id`, `text`), the same for the same seed."""
    articles, dice = _Articles.read(corpus), random.Random(seed)  # noqa: S311
    triples = list(articles.triples())
    dice.shuffle(triples)
    used = Counter[str]()
    made: list[MultiHop] = []
    for triple in triples:
        a, between, c = triple
        if len(made) == count or any(used[name] >= _QUESTIONS_OF_A_NAME for name in triple):
            continue
        first, second = articles.facts[a, between], articles.facts[between, c]
        x, y = (articles.clue(dice.choice(facts), dice) for facts in (first, second))
        if x is None or y is None:
            continue
        used.update(triple)
        named, described = (dice.choice(wording).format(a=a, c=c, x=x, y=y) for wording in (_NAMED, _DESCRIBED))
        made.append(MultiHop((a, c), between, (tuple(first), tuple(second)), named, described))
    return made


def multihop(
    console: Console, client: Client, data: Path, name: str, count: int, seed: int
) -> tuple[Evaluation, Evaluation]:
    """Load DATA/NAME.corpus.jsonl, build its graph, and search for questions from it, each with and without the graph."""
    made = questions(rows(data / f"{name}.corpus.jsonl"), count, seed)
    if not made:
        raise StackError(f"no question with two steps can be made from {name}")
    documents = load(console, client, data, name)
    _build(client, collection_of(name))
    named, described = (
        _searched(console, client, made, documents, collection_of(name), wording) for wording in ("named", "described")
    )
    return named, described


def _build(client: Client, collection: str) -> None:
    job = client.call("POST", "/graph/v1/graphs", json={"collection": collection})
    for _, state in client.events("GET", f"/graph/v1/jobs/{job['id']}/events"):
        job = state
    if job["status"] != "ready":
        raise StackError(f"the build of the graph is {job['status']}")


def _searched(
    console: Console,
    client: Client,
    made: Sequence[MultiHop],
    documents: Mapping[str, str],
    collection: str,
    wording: str,
) -> Evaluation:
    results = []
    began = time.perf_counter()
    for number, each in enumerate(track(made, description=wording, console=console, transient=True)):
        figures: dict[str, float] = {}
        details: dict[str, Any] = {"ends": each.ends, "between": each.between}
        # In turn, so that neither is always the one that finds a cache warm.
        for graph in (True, False) if number % 2 else (False, True):
            body = {"question": getattr(each, wording), "collection": collection, "limit": _DEPTH, "graph": graph}
            asked = time.perf_counter()
            answer = client.call("POST", "/rag/v1/search", json=body)
            seconds = time.perf_counter() - asked
            if graph and answer["degraded"]:
                raise StackError(f"the search was without a part: {'; '.join(answer['reasons'])}")
            ranks = [_rank(answer["items"], documents, facts, each.between) for facts in each.evidence]
            there = sum(rank is not None for rank in ranks)
            kind = "with" if graph else "without"
            figures |= {f"both {kind}": float(there == len(ranks)), f"one {kind}": float(there == 1)}
            details |= {f"ranks {kind}": ranks, f"seconds {kind}": round(seconds, 4)}
        results.append(Result(qid=str(number), question=getattr(each, wording), figures=figures, details=details))
    each_took = (time.perf_counter() - began) / (2 * len(results))
    return Evaluation(kind="multihop", name=wording, results=results, seconds_per_question=round(each_took, 4))


def _rank(
    passages: Sequence[Mapping[str, Any]], documents: Mapping[str, str], facts: Sequence[Fact], between: str
) -> int | None:
    """Return the place of the first passage that holds one of the sentences, with what connects in it."""
    evidence = [
        (fact.document, Evidence.parse({"answer": between, "sentence": fact.text, "start": start, "sent_start": 0}))
        for fact in facts
        for start in [fact.text.index(between)]
    ]
    for rank, passage in enumerate(passages, 1):
        chunk = tokens(passage["text"])
        if any(documents.get(passage["document_id"]) == of and held.is_in(chunk) for of, held in evidence):
            return rank
    return None


def sign_test(better: int, worse: int) -> float:
    """Return how likely a difference at least as large is by chance, two-sided; ties do not count."""
    total = better + worse
    tail = sum(math.comb(total, k) for k in range(min(better, worse) + 1))
    return min(1.0, float(2 * tail / 2**total))


def show(console: Console, evaluations: Sequence[Evaluation]) -> None:
    """Print how often both sentences, or exactly one, were found; in pairs who was better; and the milliseconds added at p50."""
    table = Table(
        "set", "", "both with", "one with", "both without", "one without", "better/worse/same", "p", "added ms"
    )
    for evaluation in evaluations:
        means = evaluation.means()
        changes = [result.figures["both with"] - result.figures["both without"] for result in evaluation.results]
        better, worse = (sum(change == by for change in changes) for by in (1.0, -1.0))
        took = {
            kind: percentile([result.details[f"seconds {kind}"] for result in evaluation.results], 50)
            for kind in ("with", "without")
        }
        table.add_row(
            evaluation.name,
            str(len(changes)),
            *(f"{means[name]:.3f}" for name in ("both with", "one with", "both without", "one without")),
            f"{better}/{worse}/{len(changes) - better - worse}",
            f"{sign_test(better, worse):.2g}",
            f"{(took['with'] - took['without']) * 1000:.0f}",
        )
    console.print(table)

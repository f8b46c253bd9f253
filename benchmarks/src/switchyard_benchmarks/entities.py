"""Entities against a text that people have annotated: precision, recall and F1 per type.

The file is in the IOB2 columns of Universal NER (https://www.universalner.org): number, word, tag; `# text` and `# newdoc`.
An entity counts where span and type are exact. Types that the set does not have are passed over, and a name of type "other" is none.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from graph_service.extraction import Passage
from graph_service.extraction.gazetteer import Gazetteer
from graph_service.extraction.patterns import PatternExtractor
from graph_service.settings import GraphSettings
from switchyard.client import StackError
from switchyard_benchmarks.results import Evaluation, Result

_TYPES = {"PER": "person", "ORG": "organisation", "LOC": "place"}
_BETWEEN = "\n\n"
Annotation = tuple[int, int, str]


@dataclass(slots=True)
class Annotated:
    """A document: its sentences as one text, and the entities in it."""

    name: str
    text: str = ""
    entities: set[Annotation] = field(default_factory=set)

    def add(self, sentence: str, words: Sequence[tuple[str, str]]) -> None:
        """Append a sentence with its words and their tags."""
        offset = len(self.text)
        self.text += sentence + _BETWEEN
        place = 0
        begun: Annotation | None = None
        for word, tag in [*words, ("", "O")]:
            start = sentence.find(word, place)
            start = place if start < 0 else start
            end = start + len(word)
            if begun and tag != f"I-{begun[2]}":
                self.entities.add((begun[0] + offset, begun[1] + offset, _TYPES[begun[2]]))
                begun = None
            if begun:
                begun = (begun[0], end, begun[2])
            elif tag[2:] in _TYPES:
                begun = (start, end, tag[2:])
            place = end


def annotated(lines: Iterable[str]) -> Iterator[Annotated]:
    """Read documents from IOB2 lines; raises `ValueError` for what is none."""
    document, sentence, words = Annotated(""), "", list[tuple[str, str]]()
    for line in [*lines, ""]:
        line = line.rstrip("\n")
        if line.startswith("# newdoc"):
            if document.text:
                yield document
            document = Annotated(line.partition("= ")[2])
        elif line.startswith("# text = "):
            sentence = line.removeprefix("# text = ")
        elif line and not line.startswith("#"):
            _, word, tag, *_ = line.split("\t")
            words.append((word, tag))
        elif not line and words:
            document.add(sentence, words)
            words = []
    if document.text:
        yield document


def found_in(document: Annotated, language: str) -> set[Annotation]:
    """Return what the embedded extraction finds, as far as the set has its types."""
    gazetteer = Gazetteer.of([document.text], language)
    passage = Passage(0, document.name, "", 1, 0, document.text, gazetteer)
    mentions = PatternExtractor(GraphSettings.model_construct().types).read(passage).mentions
    return {(each.start, each.end, each.type) for each in mentions if each.type in _TYPES.values()}


def found_by(command: Sequence[str], documents: Sequence[Annotated]) -> list[set[Annotation]]:
    """Return what another program finds: it gets a JSON string a line, and answers each with a list of [start, end, type].

    Raises `StackError` for a program that fails or answers something else.
    """
    texts = "".join(json.dumps(document.text) + "\n" for document in documents)
    try:
        done = subprocess.run(command, input=texts, stdout=subprocess.PIPE, text=True, check=True)
        found = [
            {(int(start), int(end), str(kind)) for start, end, kind in json.loads(line)}
            for line in done.stdout.splitlines()
        ]
    except (OSError, subprocess.CalledProcessError, ValueError, TypeError) as error:
        raise StackError(f"{shlex.join(command)}: {error}") from error
    if len(found) != len(documents):
        raise StackError(f"{shlex.join(command)}: {len(found)} answers to {len(documents)} texts")
    return found


def entities(path: Path, language: str, command: Sequence[str] = ()) -> Evaluation:
    """Score the embedded extraction, or that of a command; raises `StackError` for a file that can't be read."""
    try:
        documents = list(annotated(path.read_text("utf-8").splitlines()))
    except (OSError, ValueError) as error:
        raise StackError(f"{path}: {error}") from error
    began = time.perf_counter()
    all_found = found_by(command, documents) if command else [found_in(each, language) for each in documents]
    results = []
    for document, found in zip(documents, all_found, strict=True):
        counts = {
            f"{type_}.{kind}": float(sum(each[2] == type_ for each in which))
            for type_ in _TYPES.values()
            for kind, which in (
                ("right", found & document.entities),
                ("found", found),
                ("there", document.entities),
            )
        }
        missed = [f"{t}: {document.text[s:e]}" for s, e, t in sorted(document.entities - found)]
        wrong = [f"{t}: {document.text[s:e]}" for s, e, t in sorted(found - document.entities)]
        results.append(
            Result(qid=document.name, question="", figures=counts, details={"missed": missed, "wrong": wrong})
        )
    seconds = (time.perf_counter() - began) / max(1, len(documents))
    return Evaluation(kind="entities", name=path.stem, results=results, seconds_per_question=seconds)


def show(console: Console, evaluation: Evaluation) -> None:
    """Print precision, recall and F1 of each type, and of all together."""
    table = Table("type", "there", "found", "right", "precision", "recall", "F1")
    for type_ in (*_TYPES.values(), ""):
        there, found, right = (
            sum(
                value
                for result in evaluation.results
                for name, value in result.figures.items()
                if name.endswith(f".{kind}") and name.startswith(type_)
            )
            for kind in ("there", "found", "right")
        )
        figures = right / found if found else 0.0, right / there if there else 0.0, 2 * right / max(1, found + there)
        table.add_row(type_ or "all", *(f"{n:.0f}" for n in (there, found, right)), *(f"{n:.3f}" for n in figures))
    console.print(table)

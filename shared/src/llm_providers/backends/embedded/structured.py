"""Fills a JSON Schema from a text's own sentences: nothing in the result was not said.

Properties of well-known names (those of a note) are found by what they look like; any other string is the sentence
most like its description. What the text does not hold becomes null or an empty list; where the schema allows neither,
the request is rejected rather than guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from llm_providers import transcripts
from llm_providers.backends.embedded import cues
from llm_providers.backends.embedded.constraints import fit, number_in
from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.minutes import Finding, Minutes
from llm_providers.errors import RequestRejected
from llm_providers.sentences import Sentence, split
from llm_providers.types import Vectors

_LONGEST = 1500
_SHORTEST, _SHORTEST_SAID = 3, 5
"""Words with content of a sentence that can stand for others, and of one in a conversation."""
_LONGEST_TITLE = 12
_WEIGHT = 0.3
"""What a decision is ahead of other sentences, and a task behind them, when a text is summed up."""
_WORD = re.compile(r"[^\W\d_][\w'-]{2,}")
_NO_TAGS = transcripts.LIGHT | frozenset(
    """time last year years days people somebody didn't good well first second time always again thing evening morning next more every down back same over only enough without weeks months euro euros hour hours hundred thousand three four five seven eight nine eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty don't can't isn't won't didn't""".split()
)


def fill(encoder: Encoder, schema: Mapping[str, Any], text: str) -> str:
    """Return JSON text that validates against `schema`; raises `RequestRejected` if the text cannot fill it."""
    reading = _Reading(encoder, text, {**schema.get("definitions", {}), **schema.get("$defs", {})})
    return json.dumps(reading.value("", schema), ensure_ascii=False)


@dataclass
class _Reading:
    """One text, read once; sentence vectors are made when first asked for."""

    encoder: Encoder
    text: str
    definitions: Mapping[str, Any]
    used: set[int] = field(default_factory=set)
    resolving: list[str] = field(default_factory=list)

    @cached_property
    def sentences(self) -> list[Sentence]:
        return split(self.text)

    @cached_property
    def prose(self) -> list[int]:
        return [
            index
            for index, sentence in enumerate(self.sentences)
            if index in self.minutes.business
            and not sentence.heading
            and not sentence.text.endswith("?")
            and len(self.minutes.content[index]) >= (_SHORTEST_SAID if self.minutes.names else _SHORTEST)
            and not cues.CHATTER.search(sentence.text)
            and not cues.PROCEDURE.search(sentence.text)
        ]

    @cached_property
    def speakers(self) -> list[str | None]:
        return speakers_of(self.text, self.sentences)

    @cached_property
    def minutes(self) -> Minutes:
        return Minutes(self.sentences, self.speakers)

    @cached_property
    def vectors(self) -> Vectors:
        said = [transcripts.without_speaker(s.text)[:_LONGEST] or "." for s in self.sentences]
        return self.encoder.encode(said, truncate=True)

    @cached_property
    def centrality(self) -> Vectors:
        centre = self.vectors.mean(axis=0)
        scores: Vectors = (self.vectors @ (centre / np.linalg.norm(centre))).astype(np.float32)
        for points, weight in ((self.minutes.decisions, _WEIGHT), (self.minutes.actions, -_WEIGHT)):
            scores[[index for point in points for index in point.sentences]] += weight
        return scores

    def value(self, name: str, schema: Mapping[str, Any]) -> Any:
        """Return what the text holds for a property `name` of this schema."""
        if "$ref" in schema:
            with self._resolved(schema["$ref"]) as target:
                return self.value(name, {**_described(schema), **target})
        if "allOf" in schema and len(schema["allOf"]) == 1:
            return self.value(name, {**_described(schema), **schema["allOf"][0]})
        if isinstance(schema.get("type"), list):
            rest = {key: rule for key, rule in schema.items() if key != "type"}
            return self._any(name, schema, [{**rest, "type": kind} for kind in schema["type"]])
        if "anyOf" in schema or "oneOf" in schema:
            return self._any(name, schema, schema.get("anyOf") or schema["oneOf"])
        if "enum" in schema or "const" in schema:
            return self._closest(name, schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "null":
                return None
            case "array":
                return self._items(name, schema)
            case "string":
                return self._string(name, schema)
            case "integer" | "number" as kind:
                return self._number(name, schema, whole=kind == "integer")
        raise RequestRejected(
            f"extraction cannot fill {name or 'the schema'}: {schema.get('type', 'no type')}", backend="embedded"
        )

    @contextmanager
    def _resolved(self, reference: str) -> Iterator[Mapping[str, Any]]:
        """Look a definition up; one that holds itself has no end and is rejected."""
        key = reference.rsplit("/", 1)[-1]
        if key not in self.definitions or key in self.resolving:
            raise RequestRejected(f"extraction cannot fill {reference}", backend="embedded")
        self.resolving.append(key)
        try:
            yield self.definitions[key]
        finally:
            self.resolving.pop()

    def _any(self, name: str, schema: Mapping[str, Any], kinds: list[Mapping[str, Any]]) -> Any:
        """Return the first of several kinds that the text can fill, null only if there is no other."""
        for kind in sorted(kinds, key=lambda kind: kind.get("type") == "null"):
            try:
                return self.value(name, {**_described(schema), **kind})
            except RequestRejected as error:
                failure = error
        raise failure

    def _object(
        self, schema: Mapping[str, Any], known: Mapping[str, Callable[[], str | None]] | None = None
    ) -> dict[str, Any]:
        """Fill what is required; what is not and cannot be filled is left out."""
        found: dict[str, Any] = {}
        for key, kind in schema.get("properties", {}).items():
            try:
                found[key] = _known(key, kind, known[key]()) if known and key in known else self.value(key, kind)
            except RequestRejected:
                if key in schema.get("required", ()):
                    raise
        return found

    def _string(self, name: str, schema: Mapping[str, Any]) -> str:
        known = {"title": self._title, "summary": self._summary}
        text = known[name]() if name in known else self._most_like(name, schema)
        return fit(text, schema, name)

    def _title(self) -> str:
        for sentence in self.sentences[:5]:
            if sentence.heading:
                return sentence.text
        first = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        if (
            0 < len(first.split()) <= _LONGEST_TITLE
            and transcripts.speaker(first) is None
            and not first.endswith((".", "?", "!", ":"))
        ):
            return first
        return " ".join(self._best(1)[0].split()[:_LONGEST_TITLE]) if self.prose else first[:120]

    def _summary(self) -> str:
        decided = [index for point in self.minutes.decisions for index in point.sentences]
        return " ".join(self._best(3, decided if len(decided) > 1 else None)) if self.prose else self.text.strip()[:300]

    def _best(self, count: int, among: list[int] | None = None) -> list[str]:
        """Return the most central sentences in reading order, unlike one another (maximal marginal relevance)."""
        chosen = sorted(self._central(among or self.prose, count))
        return [" ".join(transcripts.without_speaker(self.sentences[index].text).split()) for index in chosen]

    def _central(self, among: list[int], count: int) -> list[int]:
        if not among:
            return []
        left = np.array(among, np.intp)
        vectors, centrality = self.vectors[left], self.centrality[left]
        redundancy = np.zeros(len(left), np.float32)
        chosen: list[int] = []
        while len(chosen) < min(count, len(left)):
            best = int(np.argmax(0.7 * centrality - 0.3 * redundancy))
            likeness = vectors @ vectors[best]
            redundancy = np.maximum(redundancy, likeness) if chosen else likeness
            redundancy[best] = np.inf
            chosen.append(best)
        return [among[place] for place in chosen]

    def _items(self, name: str, schema: Mapping[str, Any]) -> list[Any]:
        limit = schema.get("maxItems", 8)
        kind = schema.get("items", {"type": "string"})
        if "$ref" in kind:
            with self._resolved(kind["$ref"]) as target:
                return self._items(name, {**schema, "items": target})
        if name == "tags":
            return [fit(tag, kind, name) for tag in self._tags(limit)]
        if name in ("decisions", "action_items"):
            points = self.minutes.decisions if name == "decisions" else self.minutes.actions
            self.used.update(index for point in points for index in point.sentences)
        else:
            free = [index for index in self.prose if index not in self.used] or self.prose
            points = [
                self.minutes.point(index) for index in sorted(self._central(free, min(limit, max(4, len(free) // 6))))
            ]
        items = [item for point in points if (item := self._item(name, point, kind)) is not None][:limit]
        if len(items) < schema.get("minItems", 0):
            raise RequestRejected(f"the text holds too little for {name}", backend="embedded")
        return items

    def _item(self, name: str, point: Finding, kind: Mapping[str, Any]) -> Any:
        said = self.minutes.text(point)
        if kind.get("type") == "string":
            return fit(said, kind, name)
        if kind.get("type") in ("integer", "number"):
            return number_in(said, kind, whole=kind["type"] == "integer")
        if kind.get("type") != "object":
            raise RequestRejected(f"extraction cannot fill the items of {name}", backend="embedded")
        start, end = self.minutes.span(point)
        known: dict[str, Callable[[], str | None]] = {
            "text": lambda: said,
            "quote": lambda: self.text[start:end],
            "owner": lambda: point.owner,
            "due": lambda: point.due,
        }
        return self._object(kind, known)

    def _tags(self, limit: int) -> list[str]:
        """Return the words that recur, longest runs first: candidates by frequency, order by likeness to the whole."""
        counts: dict[str, int] = {}
        names = {name.lower() for name in self.speakers if name}
        for match in _WORD.finditer(" ".join(self.minutes.said[index] for index in self.minutes.business)):
            word = match.group().lower()
            if word not in _NO_TAGS and not word.endswith("th") and word not in names and len(word) > 3:
                counts[word] = counts.get(word, 0) + 1
        frequent = sorted(counts, key=lambda word: (-counts[word], word))[:30]
        if not frequent:
            return []
        centre = self.vectors.mean(axis=0)
        likeness = self.encoder.encode(frequent, truncate=True) @ centre
        ranked = sorted(zip(frequent, likeness, strict=True), key=lambda pair: -float(pair[1]) * counts[pair[0]] ** 0.5)
        return [word for word, _ in ranked[: min(limit, 6)]]

    def _most_like(self, name: str, schema: Mapping[str, Any]) -> str:
        if not self.sentences:
            raise RequestRejected(f"the text holds nothing for {name or 'the answer'}", backend="embedded")
        description = f"{name.replace('_', ' ')}. {schema.get('description', '')}"[:_LONGEST]
        asked = self.encoder.encode([description], truncate=True)[0]
        return transcripts.without_speaker(self.sentences[int(np.argmax(self.vectors @ asked))].text)

    def _closest(self, name: str, choices: list[Any]) -> Any:
        if len(choices) == 1:
            return choices[0]
        if not self.sentences:
            raise RequestRejected(f"the text holds nothing to choose {name or 'a value'} by", backend="embedded")
        likeness = self.encoder.encode([str(choice) for choice in choices], truncate=True) @ self.vectors.T
        return choices[int(np.argmax(likeness.max(axis=1)))]

    def _number(self, name: str, schema: Mapping[str, Any], *, whole: bool) -> float | int:
        value = number_in(self._most_like(name, schema), schema, whole=whole)
        if value is None:
            raise RequestRejected(f"the text holds no number for {name}", backend="embedded")
        return value


def speakers_of(text: str, sentences: Sequence[Sentence]) -> list[str | None]:
    """Return who says each sentence: a speaker goes on until the next one begins, or a paragraph without one."""
    found: list[str | None] = []
    current: str | None = None
    for index, sentence in enumerate(sentences):
        before = text[sentences[index - 1].end : sentence.start] if index else ""
        current = transcripts.speaker(sentence.text) or (None if "\n\n" in before else current)
        found.append(current)
    return found


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What the kinds of a union inherit: the words that tell what is asked for."""
    return {key: schema[key] for key in ("description", "title") if key in schema}


def _known(name: str, schema: Mapping[str, Any], said: str | None) -> str | None:
    """Return what was found for a property, or null where it may be null."""
    kinds = schema.get("anyOf", [schema])
    if said is not None:
        return fit(said, next((kind for kind in kinds if kind.get("type") != "null"), schema), name)
    for kind in kinds:
        if kind.get("type") == "null" or "null" in kind.get("type", ()):
            return None
    raise RequestRejected(f"the text holds nothing for {name}", backend="embedded")

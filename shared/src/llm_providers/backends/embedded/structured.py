"""Fills a JSON Schema from a text's own sentences: nothing in the result was not said.

Properties of well-known names (those of a note) are found by what they look like; any other string is the sentence
most like its description. What the text does not hold becomes null or an empty list; where the schema allows neither,
the request is rejected rather than guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from llm_providers.backends.embedded import cues
from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.sentences import STOP_WORDS, Sentence, split
from llm_providers.errors import RequestRejected
from llm_providers.types import Vectors

_MAX_SENTENCES = 600
_LONGEST = 1500
_SHORTEST = 6
"""Words of a sentence that can stand for others."""
_WEIGHT = 0.15
"""What a decision is ahead of other sentences, and a task behind them, when a text is summed up."""
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_WORD = re.compile(r"[^\W\d_][\w'-]{2,}")


def fill(encoder: Encoder, schema: Mapping[str, Any], text: str) -> str:
    """Return JSON text that validates against `schema`; raises `RequestRejected` if the text cannot fill it."""
    reading = _Reading(encoder, text, schema.get("$defs", {}))
    return json.dumps(reading.value("", schema), ensure_ascii=False)


@dataclass
class _Reading:
    """One text, read once; sentence vectors are made when first asked for."""

    encoder: Encoder
    text: str
    definitions: Mapping[str, Any]
    used: set[int] = field(default_factory=set)

    @cached_property
    def sentences(self) -> list[Sentence]:
        return split(self.text)[:_MAX_SENTENCES]

    @cached_property
    def prose(self) -> list[int]:
        return [
            index
            for index, sentence in enumerate(self.sentences)
            if not sentence.heading
            and not sentence.text.endswith("?")
            and len(cues.without_speaker(sentence.text).split()) >= _SHORTEST
        ]

    @cached_property
    def speakers(self) -> list[str | None]:
        """Who says each sentence: a speaker goes on until the next one begins."""
        found: list[str | None] = []
        current: str | None = None
        for index, sentence in enumerate(self.sentences):
            before = self.text[self.sentences[index - 1].end : sentence.start] if index else ""
            current = cues.speaker(sentence.text) or (None if "\n\n" in before else current)
            found.append(current)
        return found

    @cached_property
    def vectors(self) -> Vectors:
        return self.encoder.encode([cues.without_speaker(s.text)[:_LONGEST] or "." for s in self.sentences])

    @cached_property
    def centrality(self) -> Vectors:
        centre = self.vectors.mean(axis=0)
        scores: Vectors = (self.vectors @ (centre / np.linalg.norm(centre))).astype(np.float32)
        for index, sentence in enumerate(self.sentences):
            said = cues.without_speaker(sentence.text)
            scores[index] += _WEIGHT * (cues.is_decision(said) - cues.is_action(said, self.speakers[index]))
        return scores

    def value(self, name: str, schema: Mapping[str, Any]) -> Any:
        """Return what the text holds for a property `name` of this schema."""
        if "$ref" in schema:
            return self.value(name, self.definitions[schema["$ref"].rsplit("/", 1)[-1]])
        if "anyOf" in schema:
            kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
            inherited = {key: schema[key] for key in ("description", "title") if key in schema}
            try:
                return self.value(name, {**inherited, **kinds[0]})
            except RequestRejected:
                if len(kinds) < len(schema["anyOf"]):
                    return None
                raise
        if "enum" in schema or "const" in schema:
            return self._closest(schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object":
                return {key: self.value(key, kind) for key, kind in schema.get("properties", {}).items()}
            case "array":
                return self._items(name, schema)
            case "string":
                return self._string(name, schema)
            case "integer" | "number" as kind:
                return self._number(name, schema, whole=kind == "integer")
        raise RequestRejected(f"extraction cannot fill {name or 'the schema'}: {schema.get('type', 'no type')}")

    def _string(self, name: str, schema: Mapping[str, Any]) -> str:
        known = {"title": self._title, "summary": self._summary}
        text = known[name]() if name in known else self._most_like(name, schema)
        return text[: schema.get("maxLength", len(text))]

    def _title(self) -> str:
        for sentence in self.sentences[:5]:
            if sentence.heading:
                return sentence.text
        first = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        if 0 < len(first.split()) <= 12 and not first.endswith((".", "?", "!", ":")):
            return first
        return self._best(1)[0] if self.prose else first[:120]

    def _summary(self) -> str:
        return " ".join(self._best(3)) if self.prose else self.text.strip()[:300]

    def _best(self, count: int) -> list[str]:
        """Return the most central sentences in reading order, unlike one another (maximal marginal relevance)."""
        chosen = sorted(self._central(self.prose, count))
        return [" ".join(cues.without_speaker(self.sentences[index].text).split()) for index in chosen]

    def _central(self, among: list[int], count: int) -> list[int]:
        chosen: list[int] = []
        left = list(among)
        while left and len(chosen) < count:
            redundancy = self.vectors[left] @ self.vectors[chosen].T if chosen else np.zeros((len(left), 1))
            gain = 0.7 * self.centrality[left] - 0.3 * redundancy.max(axis=1)
            chosen.append(left.pop(int(np.argmax(gain))))
        return chosen

    def _items(self, name: str, schema: Mapping[str, Any]) -> list[Any]:
        limit = schema.get("maxItems", 8)
        kind = schema.get("items", {"type": "string"})
        kind = self.definitions[kind["$ref"].rsplit("/", 1)[-1]] if "$ref" in kind else kind
        if name == "tags":
            return self._tags(limit)
        finders: dict[str, Callable[[], list[int]]] = {
            "decisions": lambda: [i for i, s in enumerate(self.sentences) if cues.is_decision(s.text)],
            "action_items": lambda: [
                i
                for i, s in enumerate(self.sentences)
                if not s.heading and cues.is_action(cues.without_speaker(s.text), self.speakers[i])
            ],
        }
        if name in finders:
            found = finders[name]()
            self.used.update(found)
        else:
            free = [index for index in self.prose if index not in self.used] or self.prose
            found = sorted(self._central(free, min(limit, max(4, len(free) // 6))))
        return [self._item(index, kind) for index in found[:limit]]

    def _item(self, index: int, kind: Mapping[str, Any]) -> Any:
        quote = self.sentences[index].text
        said = " ".join(cues.without_speaker(quote).split())
        if kind.get("type") == "string":
            return said
        if "due" in kind.get("properties", {}) and cues.due(said) is None and self._limited_by_next(index):
            quote = self.text[self.sentences[index].start : self.sentences[index + 1].end]
            said = " ".join(cues.without_speaker(quote).split())
        known: dict[str, Callable[[], str | None]] = {
            "text": lambda: said,
            "quote": lambda: quote,
            "owner": lambda: cues.owner(said, self.speakers[index]),
            "due": lambda: cues.due(said),
        }
        return {
            name: known[name]() if name in known else self.value(name, each)
            for name, each in kind.get("properties", {}).items()
        }

    def _limited_by_next(self, index: int) -> bool:
        """Say whether the same speaker's next sentence sets the task's time limit."""
        following = index + 1
        return (
            following < len(self.sentences)
            and self.speakers[following] == self.speakers[index]
            and cues.speaker(self.sentences[following].text) is None
            and cues.is_time_limit(self.sentences[following].text)
            and not cues.is_action(self.sentences[following].text, self.speakers[following])
        )

    def _tags(self, limit: int) -> list[str]:
        """Return the words that recur, longest runs first: candidates by frequency, order by likeness to the whole."""
        counts: dict[str, int] = {}
        names = {name.lower() for name in self.speakers if name}
        for match in _WORD.finditer(" ".join(cues.without_speaker(s.text) for s in self.sentences)):
            word = match.group().lower()
            if word not in STOP_WORDS and word not in names and len(word) > 3:
                counts[word] = counts.get(word, 0) + 1
        frequent = sorted(counts, key=lambda word: (-counts[word], word))[:30]
        if not frequent:
            return []
        centre = self.vectors.mean(axis=0)
        likeness = self.encoder.encode(frequent) @ centre
        ranked = sorted(zip(frequent, likeness, strict=True), key=lambda pair: -float(pair[1]) * counts[pair[0]] ** 0.5)
        return [word for word, _ in ranked[: min(limit, 6)]]

    def _most_like(self, name: str, schema: Mapping[str, Any]) -> str:
        if not self.sentences:
            raise RequestRejected(f"the text holds nothing for {name or 'the answer'}", backend="embedded")
        asked = self.encoder.encode([f"{name.replace('_', ' ')}. {schema.get('description', '')}"[:_LONGEST]])[0]
        return cues.without_speaker(self.sentences[int(np.argmax(self.vectors @ asked))].text)

    def _closest(self, choices: list[Any]) -> Any:
        if not self.sentences:
            return choices[0]
        likeness = self.encoder.encode([str(choice) for choice in choices]) @ self.vectors.T
        return choices[int(np.argmax(likeness.max(axis=1)))]

    def _number(self, name: str, schema: Mapping[str, Any], *, whole: bool) -> float | int:
        match = _NUMBER.search(self._most_like(name, schema))
        if match is None:
            raise RequestRejected(f"the text holds no number for {name}", backend="embedded")
        value = float(match.group().replace(",", "."))
        return int(value) if whole else value

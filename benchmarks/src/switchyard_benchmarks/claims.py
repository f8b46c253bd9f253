"""True sentences and the same with one fact changed: which of them the grounding takes for supported."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from rag_service.chunking import Chunker
from rag_service.grounding import ground
from rag_service.keyword.analysis import language_of
from rag_service.ranking import Passage
from rag_service.settings import RagSettings
from service_kit.statements.facts import facts_of
from service_kit.statements.lexicon import MONTHS_AND_DAYS, NEGATIONS, UNITS
from service_kit.statements.normalisation import normalised
from switchyard_benchmarks.results import Evaluation, Result, rows

_SEED = 17
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w-])")
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")
_VERBS = re.compile(
    r"\b(is|are|was|were|can|will|has|have|had|ist|sind|war|waren|wird|hat|kann|zijn|werd|werden|heeft|kan|wordt)\b"
)
_MODIFIER = re.compile(
    r"(?<=[a-z] )[a-zäöüß]{2,}(?:ly|ous|ful|able|ible|ical|ive|lich|lichen|liche|ische|ischen|igen|ige|elijk|elijke|isch) "
)
_NEGATION = {"de": "nicht", "nl": "niet"}


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of a passage; `kind` says what was changed in it, "true" if nothing was."""

    kind: str
    sentence: str
    passage: Passage
    answer: str = ""
    """What the sentence answers a question with."""


def claims(data: Path, name: str, count: int, seed: int = _SEED) -> Iterator[Evaluation]:
    """Attribute up to `count` true and `count` changed sentences of a set to the passages that they come from.

    Yields the true ones, the true ones without one of their words, the answers of one or a few words that stand in them, the same
    with the answer to another question, the changed ones, and those of each kind of change.
    """
    dice = random.Random(seed)  # noqa: S311
    sentences = list(_sentences(data, name))
    dice.shuffle(sentences)
    true = sentences[:count]
    yield _evaluation(f"{name} true", true, wrong=False)
    yield _evaluation(f"{name} shortened", [claim for each in true if (claim := _shortened(each, dice))], wrong=False)
    answers = [replace(claim, kind="answer", sentence=_as_sentence(claim.answer)) for claim in true]
    yield _evaluation(f"{name} answers alone", answers, wrong=False)
    others = [replace(claim, sentence=answers[place - 1].sentence) for place, claim in enumerate(answers)]
    strange = [each for each in others if each.sentence.rstrip(".").lower() not in each.passage.text.lower()]
    yield _evaluation(f"{name} another's answer", strange, wrong=True)
    names = sorted({name for claim in sentences for name in _NAME.findall(claim.sentence)})
    changed = [claim for each in sentences if (claim := _changed(each, dice, names))][:count]
    yield _evaluation(f"{name} changed", changed, wrong=True)
    for kind in dict.fromkeys(claim.kind for claim in changed):
        yield _evaluation(f"· {kind}", [claim for claim in changed if claim.kind == kind], wrong=True)


def _evaluation(name: str, asked: Sequence[_Claim], *, wrong: bool) -> Evaluation:
    began, results = time.perf_counter(), []
    for number, claim in enumerate(asked):
        supported = not ground(claim.sentence, [claim.passage]).unsupported
        figures = {"marked unsupported": float(not supported)}
        details = {"kind": claim.kind, "correct": supported != wrong}
        results.append(Result(qid=f"{name}-{number}", question=claim.sentence, figures=figures, details=details))
    each = (time.perf_counter() - began) / max(1, len(results))
    return Evaluation(kind="claims", name=name, results=results, seconds_per_question=each)


def _sentences(data: Path, name: str) -> Iterator[_Claim]:
    """Yield the gold sentences that one passage of their document holds whole."""
    settings = RagSettings()
    chunker = Chunker(settings.chunk_tokens, settings.chunk_overlap_tokens)
    texts = {row["doc_id"]: row for row in rows(data / f"{name}.corpus.jsonl")}
    chunks = {doc: list(chunker.chunk([(1, row["text"])])) for doc, row in texts.items()}
    seen = set[str]()
    for question in rows(data / f"{name}.questions.jsonl"):
        document, sentence = texts[question["doc_id"]], question["evidence"][0]["sentence"]
        piece = next((piece for piece in chunks[question["doc_id"]] if sentence in piece.text), None)
        if piece is None or sentence in seen:
            continue
        seen.add(sentence)
        language = document.get("lang") or language_of(document["text"])
        place = (piece.page, piece.start, piece.end, piece.heading, piece.text)
        passage = Passage(0, document["doc_id"], 0, document["title"], "", language, *place, 1.0)
        yield _Claim("true", sentence, passage, question["evidence"][0]["answer"])


def _changed(claim: _Claim, dice: random.Random, names: Sequence[str]) -> _Claim | None:
    """Change one fact, of a kind that the sentence has; None if it has none."""
    kinds: list[tuple[str, Callable[[], str | None]]] = [
        ("number", lambda: _replaced(_NUMBER, claim.sentence, dice, lambda text: _other_number(text, dice))),
        ("date", lambda: _replaced(_WORD, claim.sentence, dice, lambda text: _other_date(text, dice))),
        ("unit", lambda: _replaced(_WORD, claim.sentence, dice, lambda text: _other_unit(text, claim.sentence, dice))),
        ("name", lambda: _replaced(_NAME, claim.sentence, dice, lambda text: _other_name(text, claim, names, dice))),
        ("negation", lambda: _negated(claim, dice)),
        ("exchange", lambda: _exchanged(claim.sentence, dice)),
    ]
    dice.shuffle(kinds)
    for kind, change in kinds:
        if (sentence := change()) is not None and sentence != claim.sentence:
            return _Claim(kind, sentence, claim.passage)
    return None


def _replaced(
    pattern: re.Pattern[str], sentence: str, dice: random.Random, other: Callable[[str], str | None]
) -> str | None:
    places = [(match, new) for match in pattern.finditer(sentence) if (new := other(match.group())) is not None]
    if not places:
        return None
    match, new = dice.choice(places)
    return sentence[: match.start()] + new + sentence[match.end() :]


def _other_number(text: str, dice: random.Random) -> str:
    place = dice.choice([place for place, letter in enumerate(text) if letter.isdigit()])
    return text[:place] + dice.choice([d for d in "123456789" if d != text[place]]) + text[place + 1 :]


def _other_date(text: str, dice: random.Random) -> str | None:
    own = MONTHS_AND_DAYS.get(normalised(text))
    if own is None or not text[0].isupper():
        return None
    same_kind = [word for word, key in MONTHS_AND_DAYS.items() if key[0] == own[0] and key != own and len(word) > 3]
    return dice.choice(same_kind).capitalize()


def _other_unit(text: str, sentence: str, dice: random.Random) -> str | None:
    unit = UNITS.get(normalised(text))
    if unit is None or not re.search(rf"\d\s{re.escape(text)}\b", sentence):
        return None
    return dice.choice([word for word in ("km", "percent", "kg", "hours", "miles", "days") if UNITS[word] != unit])


def _other_name(text: str, claim: _Claim, names: Sequence[str], dice: random.Random) -> str | None:
    if normalised(text) not in facts_of(claim.sentence).names:
        return None
    strange = [name for name in names if name not in claim.passage.text]
    return dice.choice(strange) if strange else None


def _negated(claim: _Claim, dice: random.Random) -> str | None:
    if any(normalised(word) in NEGATIONS for word in _WORD.findall(claim.sentence)):
        return None
    verbs = list(_VERBS.finditer(claim.sentence))
    if not verbs:
        return None
    verb = dice.choice(verbs)
    negation = _NEGATION.get(claim.passage.language, "not")
    return f"{claim.sentence[: verb.end()]} {negation}{claim.sentence[verb.end() :]}"


def _as_sentence(answer: str) -> str:
    return f"{answer[:1].upper()}{answer[1:]}."


def _exchanged(sentence: str, dice: random.Random) -> str | None:
    """Put two numbers of the sentence in each other's place: every fact still stands in the passage."""
    numbers = list(_NUMBER.finditer(sentence))
    pairs = [(a, b) for a, b in pairwise(numbers) if a.group() != b.group()]
    if not pairs:
        return None
    a, b = dice.choice(pairs)
    between = sentence[a.end() : b.start()]
    return sentence[: a.start()] + b.group() + between + a.group() + sentence[b.end() :]


def _shortened(claim: _Claim, dice: random.Random) -> _Claim | None:
    """Leave out an adverb or adjective by its ending: the sentence stays true."""
    words = list(_MODIFIER.finditer(claim.sentence))
    if not words:
        return None
    word = dice.choice(words)
    return _Claim("shortened", claim.sentence[: word.start()] + claim.sentence[word.end() :], claim.passage)

"""From text to the terms of a keyword index: languages, words, stems, and n-grams where words have no spaces between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import Stemmer

from service_kit.statements.codes import DIGIT, INNER, TOKEN
from service_kit.statements.normalisation import normalised
from service_kit.statements.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip
"""ISO 639-1 codes with a Snowball stemmer, https://snowballstem.org/algorithms/."""

_MOST_TERMS = 64
_SAMPLE = 6000
"""Characters of a document, from its beginning, middle and end, by which its language is guessed."""
_FEWEST_LETTERS = 16
_LIKELY = 0.6
"""Least probability of a language; below it, and with fewer letters, it is unknown."""


def language_of(text: str) -> str:
    """Return the ISO 639-1 code of the language of most of `text`, "" if it is unclear."""
    third = _SAMPLE // 3
    middle = max(third, len(text) // 2 - third // 2)
    sample = text if len(text) <= _SAMPLE else " ".join((text[:third], text[middle : middle + third], text[-third:]))
    if sum(map(str.isalpha, sample)) < _FEWEST_LETTERS:
        return ""
    language, probability = _identifier().classify(sample)
    return str(language) if probability >= _LIKELY else ""


def terms(text: str, language: str) -> list[str]:
    """Return the terms of a text in reading order, made of letters and digits only.

    Words are stemmed by the rules of `language`; `PX-200/A` becomes `px200a`, `px`, `200`, `a`; runs of a script without
    spaces become pairs of characters.
    """
    return list(_terms(text, [language], frozenset()))


def query_terms(question: str, languages: Sequence[str], most: int = _MOST_TERMS) -> list[str]:
    """Return at most `most` terms to look for, each once, in every language of the documents.

    Stop words are left out unless nothing else is there.
    """
    known = list(languages) or [""]
    stop = frozenset().union(*(STOP_WORDS.get(language, frozenset()) for language in ("en", *known)))
    found = list(dict.fromkeys(_terms(question, known, stop)))
    return (found or list(dict.fromkeys(_terms(question, known, frozenset()))))[:most]


def _terms(text: str, languages: Sequence[str], stop: frozenset[str]) -> Iterator[str]:
    stemmers = [_stemmer(language) for language in languages]
    for match in TOKEN.finditer(normalised(text)):
        if (run := match.group("unspaced")) is not None:
            yield from (run[place : place + 2] for place in range(max(1, len(run) - 1)))
            continue
        word = match.group("word")
        parts = INNER.split(word)
        if len(parts) > 1 and DIGIT.search(word):
            yield "".join(parts)
        for part in parts:
            if part not in stop:
                yield from dict.fromkeys(stem(part) for stem in stemmers)


def _stemmer(language: str) -> Callable[[str], str]:
    # One for each call: they are not safe in threads.
    return Stemmer.Stemmer(_STEMMERS[language]).stemWord if language in _STEMMERS else str


_loading = Lock()


def _identifier() -> LanguageIdentifier:
    with _loading:
        return _loaded_identifier()


@lru_cache(maxsize=1)
def _loaded_identifier() -> LanguageIdentifier:
    # Imported and loaded with the first text: its table takes 80 MB.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

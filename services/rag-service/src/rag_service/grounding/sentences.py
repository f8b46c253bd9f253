"""Sentences of answers and passages, in which a point behind a day or an abbreviation ends none."""

from __future__ import annotations

import re
from functools import lru_cache

from llm_providers import sentences
from llm_providers.sentences import Sentence
from service_kit.statements.lexicon import MONTHS_AND_DAYS
from service_kit.statements.normalisation import normalised

_DAY = re.compile(r"(?:^|\D)\d{1,2}\.$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=512)
def split(text: str) -> tuple[Sentence, ...]:
    """Split Markdown or plain text; what goes on in small letters, or with a month behind a day ("6. Oktober"), is one sentence."""
    groups: list[list[Sentence]] = []
    for sentence in sentences.split(text):
        if groups and _goes_on(text, groups[-1][-1], sentence):
            groups[-1].append(sentence)
        else:
            groups.append([sentence])
    spans = [(group[0].start, group[-1].end, group[0].heading) for group in groups]
    return tuple(Sentence(text[start:end], start, end, heading) for start, end, heading in spans)


def _goes_on(text: str, before: Sentence, sentence: Sentence) -> bool:
    if before.heading or text[before.end - 1] != "." or text[before.end : sentence.start].strip(" "):
        return False
    word = _FIRST_WORD.match(sentence.text)
    if word is None or word.group()[0].islower():
        return word is not None
    return normalised(word.group()) in MONTHS_AND_DAYS and _DAY.search(before.text[-4:]) is not None

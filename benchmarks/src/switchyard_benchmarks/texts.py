"""Prose of random words, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate, product
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt").read_text().split()
_STOP_WORDS = 100
"""The most frequent words, with which nobody asks."""


def document(dice: random.Random, paragraphs: int, words: Callable[[int], list[str]] | None = None) -> str:
    """Return paragraphs of eight sentences of 8 to 20 words: of `words`, which returns so many, or of all alike."""
    draw = words or (lambda count: dice.choices(WORDS, k=count))
    return "\n\n".join(" ".join(_sentence(dice, draw) for _ in range(8)) for _ in range(paragraphs))


def _sentence(dice: random.Random, draw: Callable[[int], list[str]]) -> str:
    return " ".join(draw(dice.randint(8, 20))).capitalize() + "."


def by_frequency(dice: random.Random, *, asking: bool = False) -> Callable[[int], list[str]]:
    """Return what draws from some 28,000 words of which the n-th is 1/n as frequent as the first, as in real texts (Zipf).

    In a large collection words that are all alike would each be in nearly every chunk. `asking` leaves out the first 100.
    """
    words = [first + second for first, second in product(WORDS, WORDS)]
    random.Random(1).shuffle(words)  # noqa: S311
    first = _STOP_WORDS if asking else 0
    weights = list(accumulate(1 / (place + 1) for place in range(first, len(words))))
    return lambda count: dice.choices(words[first:], cum_weights=weights, k=count)

"""Plain prose of random words, the same in every run."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt").read_text().split()


def document(dice: random.Random, paragraphs: int) -> str:
    """Return paragraphs of eight sentences of 8 to 20 words."""
    return "\n\n".join(" ".join(_sentence(dice) for _ in range(8)) for _ in range(paragraphs))


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(8, 20))).capitalize() + "."

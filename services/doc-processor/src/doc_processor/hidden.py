"""Text that nobody who looks at the document sees: a way to slip instructions past the people who add it."""

from __future__ import annotations

from dataclasses import dataclass

from doc_processor.parsers.base import ParseLimits, ParseWarning

TINY_POINTS = 2.0
"""Smaller text cannot be read on paper."""
WHITE = (255, 255, 255)
_NEARLY = 5

Colour = tuple[int, int, int]


@dataclass(slots=True)
class HiddenText:
    """Takes what is hidden out of a text, or marks it, and counts its words."""

    keep: bool = False
    words: int = 0

    @classmethod
    def of(cls, limits: ParseLimits) -> HiddenText:
        return cls(keep=limits.hidden_text == "keep")

    def instead_of(self, text: str) -> str:
        """Return what stands in place of a hidden text, whose words are counted."""
        words = len(text.split())
        self.words += words
        return f" [hidden: {text.strip()}] " if self.keep and words else ""

    @property
    def warnings(self) -> tuple[ParseWarning, ...]:
        if not self.words:
            return ()
        what = f"{self.words} word{'s' if self.words > 1 else ''} of hidden text"
        return (ParseWarning("hidden-text", f"{what} {'marked' if self.keep else 'left out'}"),)


def alike(one: Colour, other: Colour) -> bool:
    """Whether an eye cannot tell two colours apart."""
    return all(abs(a - b) <= _NEARLY for a, b in zip(one, other, strict=True))


def hexadecimal(written: str) -> Colour | None:
    """Read `fff` or `ffffff`; None for anything else."""
    digits = "".join(2 * digit for digit in written) if len(written) == 3 else written
    try:
        value = int(digits, 16) if len(digits) == 6 else -1
    except ValueError:
        return None
    return (value >> 16, value >> 8 & 255, value & 255) if value >= 0 else None

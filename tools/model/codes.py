"""Fit the codes in which an embedding model's token vectors are kept, on the texts of this repository.

What `llm_providers.backends.embedded.late_interaction` then reads; to be run again only for a new model, since what is stored
in the codes of before is not read any more.

usage: codes.py MODEL
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np

from llm_providers.backends.embedded import late_interaction
from llm_providers.backends.embedded.encoder import Encoder

_BITS = 384
_PARAGRAPHS = 1200
_SHORTEST = 60


def main(model: str) -> None:
    root = Path(__file__).parents[2]
    paths = [*root.glob("docs/**/*.md"), *root.glob("examples/*.md"), *root.glob("examples/*.txt")]
    texts = [part for path in sorted(paths) for part in path.read_text(encoding="utf-8").split("\n\n")]
    texts = [text for text in texts if len(text) >= _SHORTEST]
    random.Random(1).shuffle(texts)  # noqa: S311
    vectors = np.concatenate(Encoder(model).token_vectors(texts[:_PARAGRAPHS]))
    codes = late_interaction.TokenCodes.fit(vectors, _BITS)
    folder = Path(late_interaction.__file__).parent / "codes"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{model}.npz", **codes.arrays())
    print(f"{len(vectors)} tokens, {len(codes.arrays()['bits'])} axes")


if __name__ == "__main__":
    main(sys.argv[1])

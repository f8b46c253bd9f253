"""Fit the codes in which an embedding model's token vectors are kept: on this repository's texts, and on those of CORPUS.

What `llm_providers.backends.embedded.late_interaction` reads. To be run for a new model only: what is stored in the codes of
before is not read any more, so that re-ranking reads the texts again. CORPUS is a file of JSON lines with a `text` in each;
the codes of multilingual-e5-small were fitted with the German paragraphs of XQuAD, https://arxiv.org/abs/1910.11856.

usage: codes.py MODEL [CORPUS…]
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np

from llm_providers.backends.embedded import late_interaction
from llm_providers.backends.embedded.encoder import Encoder
from rag_service.chunking import Chunker

_BITS = 768
_CHUNKS = 400
"""Taken of the repository, and of each corpus."""


def main(model: str, corpora: list[Path]) -> None:
    root = Path(__file__).parents[2]
    paths = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/*.md"), *root.glob("examples/*.txt")]
    sources = [[path.read_text(encoding="utf-8") for path in sorted(paths)]]
    lines = [corpus.read_text(encoding="utf-8").splitlines() for corpus in corpora]
    sources += [[json.loads(line)["text"] for line in corpus] for corpus in lines]
    encoder, documents = Encoder(model), list[np.ndarray]()
    for texts in sources:
        chunks = [piece.text for text in texts for piece in Chunker(288, 32).chunk([(1, text)])]
        random.Random(1).shuffle(chunks)  # noqa: S311
        documents += encoder.token_vectors(chunks[:_CHUNKS])
    codes = late_interaction.TokenCodes.fit(documents, _BITS)
    folder = Path(late_interaction.__file__).parent / "codes"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{model}.npz", **codes.arrays())
    print(f"{sum(map(len, documents))} tokens, {len(codes.arrays()['bits'])} axes")


if __name__ == "__main__":
    main(sys.argv[1], [Path(name) for name in sys.argv[2:]])

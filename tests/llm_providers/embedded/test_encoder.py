"""A text's vector is its own, whatever stands beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llm_providers.backends.embedded.encoder import MAX_TOKENS, Encoder, LoadedModel
from llm_providers.errors import ContextLengthExceeded, NotConfigured
from llm_providers.types import EmbedKind

TEXTS = ["an unpaid invoice", "🍐", "", "\0", "the lighthouse on the coast " * 60, "梨" * 100, "x" * 400]


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (together * alone).sum(axis=1).min() > 0.9999
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)


def test_rows_keep_their_order(encoder: Encoder) -> None:
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], encoder.encode(TEXTS), atol=1e-3)


def test_too_long_is_refused_or_cut_when_asked(encoder: Encoder) -> None:
    words = MAX_TOKENS - encoder.count("")
    fits, too_long = "word " * words, "word " * (words + 1)
    assert encoder.encode([fits]).shape == (1, 384)
    with pytest.raises(ContextLengthExceeded, match="513"):
        encoder.encode([too_long])
    assert float(encoder.encode([too_long], truncate=True)[0] @ encoder.encode([fits])[0]) > 0.97


def test_nothing_makes_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.token_vectors([]) == []


def test_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="make setup"):
        Encoder(folder=tmp_path)
    with pytest.raises(NotConfigured, match="multilingual-e5-small and all-MiniLM-L6-v2"):
        Encoder("all-mpnet-base-v2")


def test_a_process_loads_a_model_once(embedded_model_dir: Path) -> None:
    assert LoadedModel.of(embedded_model_dir) is LoadedModel.of(embedded_model_dir)


def test_one_question_finds_its_answer_in_other_languages(encoder: Encoder) -> None:
    passages = ["Der Hafen wurde 1874 gebaut.", "港は1874年に建設されました。", "The pumps are checked every Monday."]
    (question,) = encoder.encode(["When was the harbour built?"], EmbedKind.QUERY)
    likeness = encoder.encode(passages) @ question
    assert likeness[:2].min() > likeness[2]


def test_tokens_are_those_of_the_text_alone(encoder: Encoder) -> None:
    (question,), (passage,) = (encoder.token_vectors(["harbour"], kind) for kind in EmbedKind)
    assert len(question) == len(passage) == encoder.count("harbour") - encoder.count("")


def test_the_runtime_reports_to_nobody(tmp_path: Path, embedded_model_dir: Path) -> None:
    """ONNX Runtime notes its sessions in files before it sends them; with its telemetry off there are none."""
    code = "import sys; from pathlib import Path; from llm_providers import EmbeddedProvider as P; P.open(model_dir=Path(sys.argv[1]))"
    folders = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    # Continuous integration would switch it off as well.
    own = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", code, str(embedded_model_dir)], env=own | folders, check=True)
    assert list(tmp_path.iterdir()) == []

"""Token vectors in a few bits rank as whole ones do."""

from __future__ import annotations

import numpy as np
import pytest

from llm_providers.backends.embedded import EmbeddedProvider
from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.late_interaction import TokenCodes, exact_matches, relevance
from llm_providers.deadline import Deadline
from llm_providers.types import EmbedKind, TokenDocument, Vectors

QUESTION = "When does the ferry to the island leave?"
TEXTS = [
    "The pumps in the northern basin are inspected every Monday by the caretaker.",
    "The ferry to the island leaves at nine in the morning, and comes back at five.",
    "Invoices are payable within thirty days of receipt, without deduction.",
    "A ship is a large vessel; a ferry carries people.",
]


def soon() -> Deadline:
    return Deadline.after(60)


def document(rows: int, seed: int) -> Vectors:
    """Return token vectors that lie around a place of their own, more along some axes than along others."""
    dice = np.random.default_rng(seed)
    vectors = dice.standard_normal(32) + dice.standard_normal((rows, 32)) * np.geomspace(1, 0.05, 32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


FITTED = [document(40, seed) for seed in range(100, 200)]


@pytest.mark.parametrize(("total_bits", "error"), [(32, 0.12), (64, 0.06), (128, 0.06)])
def test_matches_estimate_the_exact_ones(total_bits: int, error: float) -> None:
    codes = TokenCodes.fit(FITTED, total_bits)
    question, documents = document(6, 2), [document(count, count) for count in (1, 7, 40)]
    packed = [codes.pack(each) for each in documents]
    assert [len(each) for each in packed] == [4 + 64 + len(each) * total_bits // 8 for each in documents]
    np.testing.assert_allclose(codes.matches(question, packed), exact_matches(question, documents), atol=error)


def test_nothing_to_score() -> None:
    codes = TokenCodes.fit(FITTED, 32)
    assert relevance(codes.matches(document(3, 2), [])) == []
    assert relevance(codes.matches(document(3, 2), [codes.pack(FITTED[0][:0])])) == [0.0]
    assert relevance(exact_matches(document(3, 2), [FITTED[0][:0]])) == [0.0]


def test_what_is_matched_everywhere_does_not_count() -> None:
    matches = np.array([[0.9, 0.5], [0.9, 0.8], [0.95, 0.4]], np.float32)
    first, second, third = relevance(matches)
    assert second > first > third


def test_codes_fitted_anew_do_not_read_those_of_before() -> None:
    codes, others = TokenCodes.fit(FITTED[:50], 32), TokenCodes.fit(FITTED[50:], 32)
    packed = codes.pack(FITTED[0])
    assert (codes.readable(packed), others.readable(packed), codes.readable(b"")) == (True, False, False)


async def test_one_pass_makes_the_same_vectors_and_what_re_ranking_needs(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    vectors, packed = await provider.embed_with_tokens(TEXTS, soon())
    np.testing.assert_allclose(vectors, await provider.embed(TEXTS, EmbedKind.DOCUMENT, soon()), atol=1e-3)
    kept = [TokenDocument("", tokens) for tokens in packed]
    scores = await provider.rerank_tokens(QUESTION, kept, soon())
    whole = {each.index: each.score for each in await provider.rerank(QUESTION, TEXTS, 4, soon())}
    assert int(np.argmax(scores)) == 1
    assert sorted(range(4), key=lambda index: -scores[index])[:2] == sorted(whole, key=lambda index: -whole[index])[:2]
    # Without stored token vectors, or with some of other codes, the texts are read.
    mixed = [kept[0], TokenDocument(TEXTS[1]), TokenDocument(TEXTS[2], b"old codes"), kept[3]]
    np.testing.assert_allclose(await provider.rerank_tokens(QUESTION, mixed, soon()), scores, atol=1e-3)
    await provider.aclose()


async def test_a_question_is_encoded_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = EmbeddedProvider(encoder)
    _, packed = await provider.embed_with_tokens(TEXTS, soon())
    await provider.embed([QUESTION], EmbedKind.QUERY, soon())
    monkeypatch.setattr(encoder._loaded.session, "run", None)
    assert len(await provider.rerank_tokens(QUESTION, [TokenDocument("", each) for each in packed], soon())) == 4
    await provider.aclose()


async def test_a_model_without_codes_reads_the_texts(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    provider._codes = None
    _, packed = await provider.embed_with_tokens(TEXTS, soon())
    assert packed == [b""] * 4
    scores = await provider.rerank_tokens(QUESTION, [TokenDocument(text) for text in TEXTS], soon())
    assert int(np.argmax(scores)) == 1
    await provider.aclose()

from __future__ import annotations

import numpy as np
import pytest

from engines.contract import soon
from llm_providers.errors import ContextLengthExceeded
from llm_providers.routing.long_texts import LongTexts, split_in_half
from llm_providers.testing import FakeEmbeddings
from llm_providers.types import EmbedKind

SHORT = ["one short text", "another short text", "a third"]


async def test_what_fits_goes_through_in_one_call() -> None:
    fake = FakeEmbeddings()
    vectors = await LongTexts(fake).embed(SHORT, EmbedKind.DOCUMENT, soon())
    np.testing.assert_array_equal(vectors, await fake.embed(SHORT, EmbedKind.DOCUMENT, soon()))
    assert fake.calls == 2


@pytest.mark.parametrize("place", [0, 1, 2, 3])
async def test_one_long_text_leaves_the_others_as_they_are(place: int) -> None:
    fake = FakeEmbeddings(context_tokens=20)
    texts = [*SHORT[:place], "word " * 100, *SHORT[place:]]
    vectors = await LongTexts(fake).embed(texts, EmbedKind.DOCUMENT, soon())
    assert vectors.shape == (4, fake.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    alone = await fake.embed(SHORT, EmbedKind.DOCUMENT, soon())
    np.testing.assert_allclose(np.delete(vectors, place, axis=0), alone, atol=1e-6)


async def test_every_part_of_a_long_text_counts_by_its_length() -> None:
    fake = FakeEmbeddings(context_tokens=60, dimension=1024)
    text = "ferry " * 80 + "fungi " * 20
    vector = (await LongTexts(fake).embed([text], EmbedKind.DOCUMENT, soon()))[0]
    ferry, fungi, other = await fake.embed(["ferry", "fungi", "invoice"], EmbedKind.DOCUMENT, soon())
    assert vector @ ferry > vector @ fungi > vector @ other + 0.2


async def test_a_text_without_spaces_is_split_too() -> None:
    fake = FakeEmbeddings(context_tokens=30)
    vector = await LongTexts(fake).embed(["船は九時に出ます" * 40], EmbedKind.DOCUMENT, soon())
    assert vector.shape == (1, fake.dimension)


async def test_a_context_too_small_for_anything_is_an_error() -> None:
    with pytest.raises(ContextLengthExceeded):
        await LongTexts(FakeEmbeddings(context_tokens=1)).embed(["two words and more " * 5], EmbedKind.QUERY, soon())


@pytest.mark.parametrize("text", ["a b", "abcdefghij", "one two three four", "x" * 50 + " " + "y" * 3, "  ", "é" * 17])
def test_splitting_drops_nothing(text: str) -> None:
    left, right = split_in_half(text)
    assert left + right == text
    assert left
    assert right

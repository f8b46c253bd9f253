"""Vectors of two spaces are never mixed: not of two models, and not of two models by the same name."""

from __future__ import annotations

import pytest

from engines import Fault, OpenAIEngine
from engines.contract import soon
from llm_providers import VLLMProvider
from llm_providers.errors import Unavailable
from llm_providers.spaces import Fingerprint, parity
from llm_providers.spaces.fingerprint import PROBES
from llm_providers.testing import FakeEmbeddings
from llm_providers.types import EmbedKind


async def taken(fake: FakeEmbeddings) -> Fingerprint:
    return await Fingerprint.take(fake, soon())


async def test_the_same_provider_is_the_same_space_after_storing_it() -> None:
    stored = Fingerprint.from_json((await taken(FakeEmbeddings())).to_json())
    assert stored == await taken(FakeEmbeddings())
    assert stored.differs_from(await taken(FakeEmbeddings())) is None
    assert stored.vectors.shape == (len(PROBES), 32)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (FakeEmbeddings(model="another"), ["model", "'fake-embedder'", "'another'"]),
        (FakeEmbeddings(dimension=64), ["dimension", "32", "64"]),
        (FakeEmbeddings(query_prefix="query: "), ["query prefix", "''", "'query: '"]),
        (FakeEmbeddings(document_prefix="passage: "), ["document prefix", "'passage: '"]),
        (FakeEmbeddings(seed=1), ["probe vectors", "fake-embedder", "cosine", "0.99"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_a_difference_names_both_sides(other: FakeEmbeddings, words: list[str]) -> None:
    difference = (await taken(FakeEmbeddings())).differs_from(await taken(other))
    assert difference is not None
    assert all(word in difference for word in words)


async def test_latest_is_the_tag_of_a_name_without_one() -> None:
    plain, tagged = FakeEmbeddings(model="nomic-embed-text"), FakeEmbeddings(model="nomic-embed-text:latest")
    assert (await taken(plain)).differs_from(await taken(tagged)) is None
    assert (await taken(plain)).differs_from(await taken(FakeEmbeddings(model="nomic-embed-text:v1"))) is not None


async def test_an_engine_whose_weights_were_swapped_is_found_out(
    vllm_embeddings: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    before = await Fingerprint.take(vllm_embeddings, soon())
    openai_engine.always(Fault.other_vectors(), path="/embeddings")
    after = await Fingerprint.take(vllm_embeddings, soon())
    assert "probe vectors" in (before.differs_from(after) or "")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"model": {"model": "x"}, "probes": []}', '{"model": 1}'])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Fingerprint.from_json(text)


async def test_parity_with_itself_is_whole() -> None:
    found = await parity(FakeEmbeddings(), FakeEmbeddings(), soon())
    assert found.passed
    assert found.cosine == pytest.approx(1.0, abs=1e-5)
    assert found.rank_agreement == pytest.approx(1.0)


@pytest.mark.parametrize("other", [FakeEmbeddings(seed=1), FakeEmbeddings(dimension=64)])
async def test_parity_with_another_space_is_not(other: FakeEmbeddings) -> None:
    found = await parity(FakeEmbeddings(), other, soon())
    assert not found.passed
    assert found.cosine < 0.9


async def test_parity_asks_both_sides_and_raises_what_they_raise() -> None:
    gone = FakeEmbeddings()
    gone.failing(Unavailable("gone"))
    with pytest.raises(Unavailable):
        await parity(FakeEmbeddings(), gone, soon())


def test_the_probes_have_both_kinds() -> None:
    assert {kind for kind, _ in PROBES} == set(EmbedKind)

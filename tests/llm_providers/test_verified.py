"""A provider held to one space: nothing of another comes out, not even once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines import Fault, OpenAIEngine
from engines.contract import soon
from llm_providers import VLLMProvider
from llm_providers.errors import DeadlineExceeded, NotConfigured, SpaceMismatch, Unavailable
from llm_providers.spaces import BackendSpace, EmbeddingFallback, Fingerprint, ParityRecords, ParitySample, parity
from llm_providers.spaces.fallback import Verified
from llm_providers.spaces.fingerprint import PROBES
from llm_providers.testing import FakeEmbeddings
from llm_providers.types import EmbedKind

TEXTS = ["The north pontoon.", "Twelve euros a night."]


async def taken(provider: Any) -> Fingerprint:
    return await Fingerprint.take(provider, soon())


def bare(text: str) -> str:
    """What an engine got, without the prefix of its task."""
    return text.removeprefix("search_query: ").removeprefix("search_document: ")


async def test_what_comes_out_is_what_the_provider_made() -> None:
    fake = FakeEmbeddings()
    held = Verified(fake, await taken(fake))
    for kind in EmbedKind:
        assert (await held.embed(TEXTS, kind, soon()) == await fake.embed(TEXTS, kind, soon())).all()
    assert (await held.embed([], EmbedKind.QUERY, soon())).shape == (0, 32)


async def test_an_engine_replaced_between_two_calls_gets_nothing_through_and_is_trusted_again_when_healed(
    vllm_embeddings: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    held = Verified(vllm_embeddings, await taken(vllm_embeddings))
    await held.embed(TEXTS, EmbedKind.DOCUMENT, soon())
    openai_engine.always(Fault.other_vectors(), path="/embeddings")
    for kind in (EmbedKind.DOCUMENT, EmbedKind.QUERY, EmbedKind.QUERY):
        with pytest.raises(SpaceMismatch, match="probe vectors"):
            await held.embed(TEXTS, kind, soon())
    openai_engine.heal()
    assert (await held.embed(TEXTS, EmbedKind.QUERY, soon())).shape == (2, openai_engine.dimension)


async def test_another_dimension_is_found_out_and_forgotten(
    vllm_embeddings: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    held = Verified(vllm_embeddings, await taken(vllm_embeddings))
    await held.embed(TEXTS, EmbedKind.DOCUMENT, soon())
    openai_engine.dimension = 96
    for _ in range(2):
        with pytest.raises(SpaceMismatch, match="dimension"):
            await held.embed(TEXTS, EmbedKind.DOCUMENT, soon())
    openai_engine.dimension = 64
    await held.embed(TEXTS, EmbedKind.DOCUMENT, soon())


async def test_the_probe_goes_along_in_the_same_request_and_changes(
    vllm_embeddings: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    held = Verified(vllm_embeddings, await taken(vllm_embeddings))
    await held.embed(["warm"], EmbedKind.QUERY, soon())
    before = len(openai_engine.requests("/embeddings"))
    for _ in range(3):
        await held.embed(["When do you open?"], EmbedKind.QUERY, soon())
    sent = [seen.body["input"] for seen in openai_engine.requests("/embeddings")[before:]]
    assert [len(texts) for texts in sent] == [2, 2, 2]
    assert {bare(texts[1]) for texts in sent} == {text for kind, text in PROBES if kind is EmbedKind.QUERY}


async def test_a_model_that_cannot_be_replaced_is_compared_once() -> None:
    fake = FakeEmbeddings()
    held = Verified(fake, await taken(fake), replaceable=False)
    await held.embed(TEXTS, EmbedKind.QUERY, soon())
    calls = fake.calls
    await held.embed(TEXTS, EmbedKind.QUERY, soon())
    assert fake.calls == calls + 1
    with pytest.raises(SpaceMismatch):
        await Verified(fake, await taken(FakeEmbeddings(seed=1)), replaceable=False).embed(
            TEXTS, EmbedKind.QUERY, soon()
        )


async def test_parity_is_measured_on_the_sample_too() -> None:
    sample = ParitySample(
        tuple(f"Buoy {n} lies {n * 7} metres off the mole." for n in range(40)), ("Where is buoy 9?",)
    )
    whole = await parity(FakeEmbeddings(), FakeEmbeddings(), soon(), sample)
    assert (whole.passed, whole.samples) == (True, len(PROBES) + 41)
    assert whole.mean_cosine >= whole.cosine >= 0.999
    assert not (await parity(FakeEmbeddings(), FakeEmbeddings(seed=2), soon(), sample)).passed


# --- who may stand in for whom


class Two:
    """Two backends, of which `ollama` is stable and `vllm` may stand in."""

    stable, fallbacks = "ollama", ("vllm",)

    def __init__(self, other: FakeEmbeddings) -> None:
        self.backends = {"ollama": FakeEmbeddings(name="ollama"), "vllm": other}

    async def embedder(self, backend: str) -> FakeEmbeddings:
        if backend not in self.backends:
            raise NotConfigured(f"{backend} is not configured")
        return self.backends[backend]

    async def in_process(self, backend: str) -> bool:
        return False

    async def late_interaction(self, backend: str) -> None:
        return None


async def compared(two: Two, records: ParityRecords) -> None:
    a, b = [BackendSpace(name, await taken(two.backends[name])) for name in ("ollama", "vllm")]
    records.add(a, b, await parity(two.backends["ollama"], two.backends["vllm"], soon()))


async def test_a_fallback_stands_in_only_after_parity_and_is_told(tmp_path: Path) -> None:
    two, fallbacks = Two(FakeEmbeddings(name="vllm", model="served-by-vllm")), list[tuple[str, str, str]]()
    records = ParityRecords(tmp_path)
    fallback = EmbeddingFallback(
        two, records, lambda origin, target, error: fallbacks.append((origin, target, type(error).__name__))
    )
    home = BackendSpace("ollama", await taken(two.backends["ollama"]))
    expected = await two.backends["ollama"].embed(TEXTS, EmbedKind.QUERY, soon())
    two.backends["ollama"].failing(Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        await fallback.embed(home, TEXTS, EmbedKind.QUERY, soon())
    await compared(two, ParityRecords(tmp_path))
    two.backends["ollama"].failing(Unavailable("gone"))
    assert (await fallback.embed(home, TEXTS, EmbedKind.QUERY, soon()) == expected).all()
    assert fallbacks == [("ollama", "vllm", "Unavailable")]


async def test_a_failed_parity_takes_the_permission_back(tmp_path: Path) -> None:
    two, records = Two(FakeEmbeddings(name="vllm", model="served-by-vllm")), ParityRecords(tmp_path)
    home, other = [BackendSpace(name, await taken(two.backends[name])) for name in ("ollama", "vllm")]
    await compared(two, records)
    assert records.equivalent(home.space, "vllm") is not None
    records.add(home, other, await parity(two.backends["ollama"], FakeEmbeddings(seed=3), soon()))
    assert ParityRecords(tmp_path).equivalent(home.space, "vllm") is None


@pytest.mark.parametrize("folder", [True, False])
async def test_parity_counts_for_the_two_fingerprints_it_was_measured_on(tmp_path: Path, folder: bool) -> None:
    two, records = Two(FakeEmbeddings(name="vllm", model="served-by-vllm")), ParityRecords(tmp_path if folder else None)
    fallback = EmbeddingFallback(two, records)
    home = BackendSpace("ollama", await taken(two.backends["ollama"]))
    await compared(two, records)
    elsewhere = BackendSpace("ollama", await taken(FakeEmbeddings(model="another")))
    assert records.equivalent(elsewhere.space, "vllm") is None
    two.backends["vllm"].seed = 9  # replaced after it was compared
    two.backends["ollama"].failing(Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        await fallback.embed(home, TEXTS, EmbedKind.QUERY, soon())


async def test_a_replaced_engine_is_stood_in_for_as_well() -> None:
    two, records = Two(FakeEmbeddings(name="vllm", model="served-by-vllm")), ParityRecords(None)
    fallback = EmbeddingFallback(two, records)
    home = BackendSpace("ollama", await taken(two.backends["ollama"]))
    await compared(two, records)
    expected = await fallback.embed(home, TEXTS, EmbedKind.DOCUMENT, soon())
    two.backends["ollama"].seed = 9
    assert (await fallback.embed(home, TEXTS, EmbedKind.DOCUMENT, soon()) == expected).all()


async def test_a_spent_deadline_is_not_answered_for_by_another() -> None:
    two, records = Two(FakeEmbeddings(name="vllm", model="served-by-vllm")), ParityRecords(None)
    home = BackendSpace("ollama", await taken(two.backends["ollama"]))
    await compared(two, records)
    two.backends["ollama"].failing(Unavailable("gone"))
    two.backends["vllm"].failing(DeadlineExceeded("spent"))
    with pytest.raises(DeadlineExceeded):
        await EmbeddingFallback(two, records).embed(home, TEXTS, EmbedKind.QUERY, soon())


async def test_a_long_text_is_verified_in_each_of_its_parts(
    vllm_embeddings: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    class One:
        stable, fallbacks = "vllm", ()

        async def embedder(self, backend: str) -> VLLMProvider:
            return vllm_embeddings

        async def in_process(self, backend: str) -> bool:
            return False

        async def late_interaction(self, backend: str) -> None:
            return None

    fallback = EmbeddingFallback(One(), ParityRecords(None))
    home = BackendSpace("vllm", await taken(vllm_embeddings))
    openai_engine.context = 64
    long = " ".join(f"word{n}" for n in range(200))
    assert (await fallback.embed(home, ["short", long], EmbedKind.DOCUMENT, soon())).shape == (2, 64)
    probes = {text for _, text in PROBES}
    sent = [{bare(text) for text in seen.body["input"]} for seen in openai_engine.requests("/embeddings")]
    assert all(probes & texts for texts in sent if texts != {"dimension"})

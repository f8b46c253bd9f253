"""Which model a name stands for, under which names it is served, and which are refused."""

from __future__ import annotations

import pytest

from .conftest import Entrypoint, put_into_cache

NO_MODEL, GATED, BAD_SETTING = 69, 77, 78


@pytest.mark.parametrize(
    ("given", "model", "names"),
    [
        ("llama3.2", "meta-llama/Llama-3.2-3B-Instruct", ["llama3.2", "meta-llama/Llama-3.2-3B-Instruct"]),
        (
            "llama3.2:latest",
            "meta-llama/Llama-3.2-3B-Instruct",
            ["llama3.2:latest", "llama3.2", "meta-llama/Llama-3.2-3B-Instruct"],
        ),
        (
            "llama3.2:3b",
            "meta-llama/Llama-3.2-3B-Instruct",
            ["llama3.2:3b", "meta-llama/Llama-3.2-3B-Instruct", "llama3.2"],
        ),
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct", ["Qwen/Qwen2.5-7B-Instruct", "qwen2.5"]),
        ("acme/Own-1B", "acme/Own-1B", ["acme/Own-1B"]),
    ],
)
def test_a_model_is_served_under_both_names_the_given_one_first(
    entrypoint: Entrypoint, given: str, model: str, names: list[str]
) -> None:
    put_into_cache(entrypoint.folder, model)
    embedder = "sentence-transformers/all-MiniLM-L6-v2"
    put_into_cache(entrypoint.folder, embedder)
    entrypoint.serve(VLLM_MODEL=given, VLLM_EMBED_MODEL="all-minilm", HF_HUB_OFFLINE="1")
    assert entrypoint.started("text")["argv"][:2] == ["serve", model]
    assert entrypoint.names("text") == names
    assert entrypoint.started("embeddings")["argv"][:2] == ["serve", embedder]
    assert entrypoint.names("embeddings") == ["all-minilm", embedder]


def test_a_folder_is_served_as_it_is(entrypoint: Entrypoint) -> None:
    entrypoint.serve(HF_HUB_OFFLINE="1")
    folder = str(entrypoint.folder / "model")
    assert entrypoint.started("text")["argv"][1] == folder
    assert entrypoint.names("text") == [folder]


def test_a_folder_that_is_not_there_is_refused(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(VLLM_EMBED_MODEL="/models/missing")
    assert ended.returncode == BAD_SETTING
    assert "VLLM_EMBED_MODEL is the folder /models/missing" in ended.stderr


def test_an_unknown_short_name_is_refused_with_the_known_ones(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(VLLM_MODEL="lama3.2")
    assert ended.returncode == BAD_SETTING
    assert "VLLM_MODEL is 'lama3.2'" in ended.stderr
    assert "llama3.2, llama3.2:3b" in ended.stderr
    assert "nomic-embed-text" in ended.stderr


@pytest.mark.parametrize("verb", ["serve", "download"])
@pytest.mark.parametrize("name", ["llama3.2:1b", "google/gemma-3-4b-it"])
def test_a_gated_model_without_a_token_stops_at_once(entrypoint: Entrypoint, verb: str, name: str) -> None:
    ended = entrypoint.run(verb, VLLM_MODEL=name, HF_TOKEN="")
    assert ended.returncode == GATED
    assert "VLLM_MODEL=Qwen/Qwen3-4B-Instruct-2507" in ended.stderr
    assert "HF_TOKEN_FILE" in ended.stderr
    assert not entrypoint.events("started")


def test_a_gated_embedder_is_told_of_an_embedder(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(VLLM_EMBED_MODEL="google/embeddinggemma-300m")
    assert ended.returncode == GATED
    assert "VLLM_EMBED_MODEL=nomic-ai/nomic-embed-text-v1.5" in ended.stderr


def test_a_gated_model_that_is_there_needs_no_token(entrypoint: Entrypoint) -> None:
    put_into_cache(entrypoint.folder, "meta-llama/Llama-3.2-1B-Instruct")
    entrypoint.serve(VLLM_MODEL="llama3.2:1b")
    assert entrypoint.names("text")[0] == "llama3.2:1b"


def test_a_token_opens_a_gated_model(entrypoint: Entrypoint) -> None:
    (entrypoint.secrets / "HF_TOKEN").write_text("hf_secret\n")
    entrypoint.serve(VLLM_MODEL="llama3.2:1b")
    assert entrypoint.started("text")["env"]["HF_TOKEN"] == "hf_secret"


def test_a_model_that_may_not_be_fetched_and_is_not_there_stops_at_once(entrypoint: Entrypoint) -> None:
    ended = entrypoint.run(VLLM_EMBED_MODEL="nomic-embed-text", HF_HUB_OFFLINE="1")
    assert ended.returncode == NO_MODEL
    assert "nomic-ai/nomic-embed-text-v1.5 is not in the cache" in ended.stderr
    assert "vllm-models" in ended.stderr
    assert not entrypoint.events("started")


def test_the_models_that_the_services_ask_for_are_the_default(entrypoint: Entrypoint) -> None:
    from llm_providers.settings import VLLMSettings

    services = VLLMSettings.model_construct()
    for model in (services.model, services.embed_model):
        put_into_cache(entrypoint.folder, model)
    entrypoint.serve(VLLM_MODEL="", VLLM_EMBED_MODEL="", HF_HUB_OFFLINE="1")
    assert entrypoint.names("text")[0] == services.model
    assert entrypoint.names("embeddings")[0] == services.embed_model

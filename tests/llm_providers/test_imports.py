"""What is heavy is imported by those who use it, and by nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("langchain", "langchain_core", "openai", "ollama", "onnxruntime", "tokenizers", "aiohttp", "httpx", "httpx2")


def imported_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import llm_providers, llm_providers.spaces, llm_providers.testing, llm_providers.engines, llm_providers.routing",
        "from llm_providers import get_provider, Providers, ProviderSettings; ProviderSettings()",
    ],
)
def test_the_package_brings_nothing_heavy(statement: str) -> None:
    assert imported_after(statement).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", ["VLLMProvider", "OpenAIProvider", "OllamaProvider"])
def test_a_backend_brings_no_sdk_until_it_is_asked_for(name: str) -> None:
    modules = imported_after(f"from llm_providers import {name}")
    assert "aiohttp" in modules
    assert modules.isdisjoint({"openai", "ollama", "httpx", "httpx2", "langchain_core", "onnxruntime"})


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import llm_providers

    with pytest.raises(AttributeError, match="Nothing"):
        _ = llm_providers.Nothing

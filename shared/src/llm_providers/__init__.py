"""One small protocol per role, backends that satisfy it, and wrappers that add behaviour."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llm_providers import blas  # noqa: F401 - before anything imports NumPy
from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.providers import Providers, get_provider
from llm_providers.settings import ProviderSettings

if TYPE_CHECKING:
    from llm_providers.backends.embedded import EmbeddedProvider
    from llm_providers.backends.ollama import OllamaProvider
    from llm_providers.backends.openai import OpenAIProvider
    from llm_providers.backends.openai import OpenAIProvider as VLLMProvider

# Imported on first use: each brings its SDK. `VLLMProvider` is the name under which older code knows the second.
_BACKENDS = {
    "EmbeddedProvider": ("embedded", "EmbeddedProvider"),
    "OpenAIProvider": ("openai", "OpenAIProvider"),
    "VLLMProvider": ("openai", "OpenAIProvider"),
    "OllamaProvider": ("ollama", "OllamaProvider"),
}


def __getattr__(name: str) -> Any:
    if name in _BACKENDS:
        module, attribute = _BACKENDS[name]
        return getattr(import_module(f"llm_providers.backends.{module}"), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Deadline",
    "EmbeddedProvider",
    "EmbeddingProvider",
    "LLMProvider",
    "OllamaProvider",
    "OpenAIProvider",
    "ProviderSettings",
    "Providers",
    "RerankProvider",
    "VLLMProvider",
    "get_provider",
]

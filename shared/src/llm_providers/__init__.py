"""One small protocol per role, backends that satisfy it, and wrappers that add behaviour."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.factory import get_provider
from llm_providers.providers import Providers
from llm_providers.settings import ProviderSettings

if TYPE_CHECKING:
    from llm_providers.backends.embedded import EmbeddedProvider
    from llm_providers.backends.ollama import OllamaProvider
    from llm_providers.backends.vllm import VLLMProvider

# Imported on first use: each brings its SDK.
_BACKENDS = {"EmbeddedProvider": "embedded", "OllamaProvider": "ollama", "VLLMProvider": "vllm"}


def __getattr__(name: str) -> Any:
    if name in _BACKENDS:
        return getattr(import_module(f"llm_providers.backends.{_BACKENDS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Deadline",
    "EmbeddedProvider",
    "EmbeddingProvider",
    "LLMProvider",
    "OllamaProvider",
    "ProviderSettings",
    "Providers",
    "RerankProvider",
    "VLLMProvider",
    "get_provider",
]

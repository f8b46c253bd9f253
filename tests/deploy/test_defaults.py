"""The containers of the engines and the services have the same defaults: Compose passes on what is set, and nothing else."""

from __future__ import annotations

from llm_providers.settings import OllamaSettings, VLLMSettings
from switchyard.stack.preflight.models import defaults


def test_engines_serve_the_models_that_the_services_ask_for() -> None:
    ollama, vllm = OllamaSettings.model_construct(), VLLMSettings.model_construct()
    assert {name: value for name, value in defaults().items() if name.endswith("_MODEL")} == {
        "OLLAMA_MODEL": ollama.model,
        "OLLAMA_EMBED_MODEL": ollama.embed_model,
        "OLLAMA_VISION_MODEL": ollama.vision_model,
        "VLLM_MODEL": vllm.model,
        "VLLM_EMBED_MODEL": vllm.embed_model,
        "VLLM_RERANK_MODEL": "",
    }

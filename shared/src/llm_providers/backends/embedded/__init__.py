"""The backend that needs no server: MiniLM in ONNX Runtime for vectors, extraction for text."""

from llm_providers.backends.embedded.provider import EmbeddedProvider

__all__ = ["EmbeddedProvider"]

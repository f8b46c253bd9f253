"""The backend that needs no server: a sentence encoder in ONNX Runtime for vectors, extraction for text."""

from llm_providers.backends.embedded.provider import EmbeddedProvider

__all__ = ["EmbeddedProvider"]

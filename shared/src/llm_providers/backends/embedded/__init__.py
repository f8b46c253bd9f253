"""The backend that needs no server: a sentence encoder in ONNX Runtime for vectors, extraction for text."""

import os

# Since 1.29 ONNX Runtime tells its makers of every session by default, also on Linux; it looks at this when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from llm_providers.backends.embedded.provider import EmbeddedProvider

__all__ = ["EmbeddedProvider"]

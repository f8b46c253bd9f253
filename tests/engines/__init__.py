"""Scripted model servers on real sockets: they speak the real dialects and misbehave on request."""

from engines.faults import Fault
from engines.llamacpp import LlamaCppEngine
from engines.ollama import OllamaEngine
from engines.server import Engine, Seen
from engines.vllm import OpenAIEngine

__all__ = ["Engine", "Fault", "LlamaCppEngine", "OllamaEngine", "OpenAIEngine", "Seen"]

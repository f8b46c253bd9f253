"""The backends that the settings configure, opened when they are first asked for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from llm_providers.errors import NotConfigured
from llm_providers.routing import Policy, RolePolicy
from llm_providers.routing.policy import Change
from llm_providers.settings import ProviderSettings
from llm_providers.types import Role


class Catalogue:
    """What can be asked; closes nothing: `opened` is whoever made it's to close."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._open: dict[str, Any] = {}
        self._known = self._configured()

    @property
    def opened(self) -> list[Any]:
        """The backends opened so far."""
        return list(self._open.values())

    def roles(self) -> dict[str, frozenset[Role]]:
        """Each configured backend, and what it can serve."""
        return self._known

    def first_policy(self) -> Policy:
        """What the environment says, until somebody changes it."""
        selected, vllm = self._settings.selection.provider, self._settings.vllm
        serve = {role: RolePolicy(stable=selected) for role in self._known[selected]}
        if selected == "vllm":
            if vllm.fallback:
                serve[Role.TEXT] = RolePolicy(stable="vllm", fallbacks=("ollama",))
            if self._settings.selection.use_vision_analysis:
                serve[Role.VISION] = RolePolicy(stable="ollama")
        return Policy(changed=Change.now("environment", f"LLM_PROVIDER={selected}"), roles=serve)

    def model(self, backend: str, role: Role) -> str:
        """The name of the model that serves a role on a backend."""
        ollama, vllm = self._settings.ollama, self._settings.vllm
        names = {
            "embedded": {Role.TEXT: "extractive", Role.EMBEDDINGS: "all-MiniLM-L6-v2", Role.RERANK: "all-MiniLM-L6-v2"},
            "ollama": {Role.TEXT: ollama.model, Role.EMBEDDINGS: ollama.embed_model, Role.VISION: ollama.vision_model},
            "vllm": {Role.TEXT: vllm.model, Role.EMBEDDINGS: vllm.embed_model, Role.RERANK: vllm.rerank_model},
        }
        return names[backend][role]

    def open(self, backend: str, role: Role) -> Any:
        """The provider of a backend for a role; raises `NotConfigured` where there is none."""
        if role not in self._known.get(backend, ()):
            raise NotConfigured(f"{backend!r} does not serve {role} here", backend=backend)
        # Ollama's chat provider is bound to one model, and vision is another one.
        key = "ollama-vision" if (backend, role) == ("ollama", Role.VISION) else backend
        if key not in self._open:
            self._open[key] = {"embedded": self._embedded, "ollama": self._ollama, "vllm": self._vllm}[backend](role)
        return self._open[key]

    def _configured(self) -> dict[str, frozenset[Role]]:
        selection, ollama, vllm = self._settings.selection, self._settings.ollama, self._settings.vllm
        known: dict[str, frozenset[Role]] = {}
        # Its model is looked for when it is opened.
        if selection.provider == "embedded" or find_spec("onnxruntime"):
            known["embedded"] = frozenset({Role.TEXT, Role.EMBEDDINGS, Role.RERANK})
        if selection.provider in ("ollama", "vllm") or "url" in ollama.model_fields_set:
            vision = {Role.VISION} if selection.use_vision_analysis else set()
            known["ollama"] = frozenset({Role.TEXT, Role.EMBEDDINGS} | vision)
        if selection.provider == "vllm" or "url" in vllm.model_fields_set:
            embeds = selection.provider == "vllm" or "embed_url" in vllm.model_fields_set
            extra = ({Role.EMBEDDINGS} if embeds else set()) | ({Role.RERANK} if vllm.rerank_url else set())
            known["vllm"] = frozenset({Role.TEXT} | extra)
        return known

    def _embedded(self, _: Role) -> Any:
        from llm_providers.backends.embedded import EmbeddedProvider

        return EmbeddedProvider.open(self._settings.selection.embedded_model_dir)

    def _vllm(self, _: Role) -> Any:
        from llm_providers.backends.vllm import VLLMProvider

        vllm = self._settings.vllm
        return VLLMProvider(
            vllm.url,
            vllm.model,
            embed_url=vllm.embed_url,
            embed_model=vllm.embed_model,
            rerank_url=vllm.rerank_url,
            rerank_model=vllm.rerank_model,
            api_key=vllm.api_key.get_secret_value(),
            timeouts=self._settings.times.timeouts(),
        )

    def _ollama(self, role: Role) -> Any:
        from llm_providers.backends.ollama import OllamaProvider

        ollama = self._settings.ollama
        return OllamaProvider(
            ollama.url,
            ollama.vision_model if role is Role.VISION else ollama.model,
            embed_model=ollama.embed_model,
            keep_alive=ollama.keep_alive,
            max_context=ollama.max_context,
            timeouts=self._settings.times.timeouts(),
        )

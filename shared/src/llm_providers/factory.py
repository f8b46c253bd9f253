"""The one place that puts providers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Unavailable
from llm_providers.providers import Backend, Providers, Served
from llm_providers.routing import Backoff, Breaker, Fallback, LongTexts, Observed, Observer, Retry, Silent
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.settings import ProviderSettings
from llm_providers.types import Role

P = TypeVar("P", LLMProvider, EmbeddingProvider, RerankProvider)


def get_provider(settings: ProviderSettings | None = None, observer: Observer | None = None) -> Providers:
    """Open the backends that the settings (by default the environment) name, and wrap them for every role.

    Opening connects to nothing; raises `SettingsError` for a value that means nothing and `NotConfigured` where the
    embedded model has not been built.
    """
    chosen, observer = settings or ProviderSettings.from_env(), observer or Silent()
    assembly = _Assembly(chosen, observer)
    match chosen.selection.provider:
        case "embedded":
            # Holds no connection: any event loop may use the one model in memory.
            return Providers(chosen, assembly.embedded_roles(), assembly.opened)
        case "ollama":
            served = assembly.ollama_roles()
        case "vllm":
            served = assembly.vllm_roles()
    return Providers(chosen, served, assembly.opened, lambda: get_provider(chosen, observer))


class _Assembly:
    """Opens backends as roles ask for them, and remembers what it opened."""

    def __init__(self, settings: ProviderSettings, observer: Observer) -> None:
        self._settings, self._observer = settings, observer
        self.opened: list[Any] = []

    def embedded_roles(self) -> dict[Role, Served]:
        from llm_providers.backends.embedded import EmbeddedProvider

        backend = self._keep(EmbeddedProvider.open(self._settings.selection.embedded_model_dir))
        return {
            Role.TEXT: self._text(Role.TEXT, [(backend, "extractive")]),
            Role.EMBEDDINGS: self._embeddings(backend, "all-MiniLM-L6-v2"),
            Role.RERANK: self._rerank(backend, "all-MiniLM-L6-v2"),
        }

    def ollama_roles(self) -> dict[Role, Served]:
        ollama = self._settings.ollama
        backend = self._ollama(ollama.model)
        return {
            Role.TEXT: self._text(Role.TEXT, [(backend, ollama.model)]),
            Role.EMBEDDINGS: self._embeddings(backend, ollama.embed_model),
        } | self._vision()

    def vllm_roles(self) -> dict[Role, Served]:
        vllm, ollama = self._settings.vllm, self._settings.ollama
        backend = self._vllm()
        chain: list[tuple[LLMProvider, str]] = [(backend, vllm.model)]
        if vllm.fallback:
            chain.append((self._ollama(ollama.model), ollama.model))
        served = {
            Role.TEXT: self._text(Role.TEXT, chain),
            Role.EMBEDDINGS: self._embeddings(backend, vllm.embed_model),
        } | self._vision()
        if vllm.rerank_url:
            served[Role.RERANK] = self._rerank(backend, vllm.rerank_model)
        return served

    def _vision(self) -> dict[Role, Served]:
        if not self._settings.selection.use_vision_analysis:
            return {}
        model = self._settings.ollama.vision_model
        return {Role.VISION: self._text(Role.VISION, [(self._ollama(model), model)])}

    # --- backends

    def _vllm(self) -> Any:
        from llm_providers.backends.vllm import VLLMProvider

        vllm = self._settings.vllm
        return self._keep(
            VLLMProvider(
                vllm.url,
                vllm.model,
                embed_url=vllm.embed_url,
                embed_model=vllm.embed_model,
                rerank_url=vllm.rerank_url,
                rerank_model=vllm.rerank_model,
                api_key=vllm.api_key.get_secret_value(),
                timeouts=self._settings.times.timeouts(),
            )
        )

    def _ollama(self, model: str) -> Any:
        from llm_providers.backends.ollama import OllamaProvider

        ollama = self._settings.ollama
        return self._keep(
            OllamaProvider(
                ollama.url,
                model,
                embed_model=ollama.embed_model,
                keep_alive=ollama.keep_alive,
                max_context=ollama.max_context,
                timeouts=self._settings.times.timeouts(),
            )
        )

    def _keep(self, backend: Any) -> Any:
        self.opened.append(backend)
        return backend

    # --- roles

    def _text(self, role: Role, chain: Sequence[tuple[LLMProvider, str]]) -> Served:
        backends = [self._guard(provider, role, model, probe_chat) for provider, model in chain]
        guards: list[LLMProvider] = [guard for guard, _ in backends]
        top: LLMProvider = guards[0] if len(guards) == 1 else Fallback(guards, self._fell_back(role))
        return Served(top, [backend for _, backend in backends], lambda deadline: probe_chat(top, deadline))

    def _embeddings(self, provider: EmbeddingProvider, model: str) -> Served:
        # No fallback: vectors of another model would poison the index in silence.
        guard, backend = self._guard(provider, Role.EMBEDDINGS, model, probe_embeddings)
        return Served(LongTexts(guard), [backend], lambda deadline: probe_embeddings(guard, deadline))

    def _rerank(self, provider: RerankProvider, model: str) -> Served:
        guard, backend = self._guard(provider, Role.RERANK, model, probe_rerank)
        return Served(guard, [backend], lambda deadline: probe_rerank(guard, deadline))

    def _guard(self, provider: P, role: Role, model: str, probe: Callable[[P, Deadline], Any]) -> tuple[P, Backend]:
        """Measure every attempt, retry, and count what still fails."""
        resilience = self._settings.resilience
        observed: Observed[P] = Observed(provider, role, self._observer)
        retry: Retry[P] = Retry(cast(P, observed), Backoff(attempts=resilience.retry_attempts))
        breaker: Breaker[P] = Breaker(
            cast(P, retry),
            probe,
            failures=resilience.breaker_failures,
            reset=resilience.breaker_reset,
            probe_seconds=self._settings.times.first_token_timeout,
            on_state=lambda name, state: self._observer.on_breaker(role, name, state),
        )
        return cast(P, breaker), Backend(provider.name, model, observed, breaker)

    def _fell_back(self, role: Role) -> Callable[[str, str, Unavailable], None]:
        def report(origin: str, target: str, error: Unavailable) -> None:
            self._observer.on_fallback(role, origin, target, type(error).__name__)

        return report

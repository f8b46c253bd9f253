"""Clients of engines, one module per kind; the only modules that import an SDK."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_providers.engines.table import Engine, Kind
from llm_providers.errors import NotConfigured
from llm_providers.settings import SECRETS, ProviderSettings
from llm_providers.types import Role

if TYPE_CHECKING:
    from llm_providers.backends.embedded import EmbeddedProvider
    from llm_providers.backends.ollama import OllamaProvider
    from llm_providers.backends.openai import OpenAIProvider


class BackendOpener:
    """Opens the backend of an engine for a role. Connects to nothing.

    The caller closes what has connections; a model in this process is shared by its roles, and closed with the opener.
    `keys` is the folder that key files of the table are named in, besides the mounted secrets.
    """

    def __init__(self, settings: ProviderSettings, keys: Path | None) -> None:
        self._settings, self._keys = settings, keys
        self._in_process: dict[str, EmbeddedProvider] = {}

    def open(self, name: str, engine: Engine, role: Role) -> OpenAIProvider | OllamaProvider | EmbeddedProvider:
        """Return a client of the role's endpoint; raises `NotConfigured` where its model or its key is not there.

        Loads a model where the kind is in-process: blocks for a moment.
        """
        endpoint = engine.roles[role]
        server: dict[str, Any] = {
            "api_key": self._key(name, engine, role),
            "context_tokens": endpoint.context_tokens,
            "reasoning_tokens": endpoint.reasoning_tokens,
            "timeouts": self._settings.times.timeouts(),
            "name": name,
        }
        address, model = engine.address(role), endpoint.model
        # Imported here: each brings its SDK.
        match engine.kind:
            case Kind.EMBEDDED:
                from llm_providers.backends.embedded import EmbeddedProvider

                if name not in self._in_process:
                    selection = self._settings.selection
                    embeddings = engine.roles.get(Role.EMBEDDINGS)
                    model = embeddings.model if embeddings else selection.embedded_model
                    folder = selection.embedded_model_dir if model == selection.embedded_model else None
                    self._in_process[name] = EmbeddedProvider.open(model, folder, name)
                return self._in_process[name]
            case Kind.OLLAMA:
                from llm_providers.backends.ollama import OllamaProvider

                context = engine.max_context
                return OllamaProvider(address, model, keep_alive=engine.keep_alive, max_context=context, **server)
            case Kind.OPENAI:
                from llm_providers.backends.openai import OpenAIProvider

                return OpenAIProvider(
                    address,
                    model,
                    continues=endpoint.continues,
                    structured_output=endpoint.structured_output,
                    stream_usage=endpoint.stream_usage,
                    **server,
                )

    async def aclose(self) -> None:
        for provider in self._in_process.values():
            await provider.aclose()

    def _key(self, name: str, engine: Engine, role: Role) -> str:
        if key := engine.roles[role].api_key.get_secret_value():
            return key
        file = engine.key_file(role)
        if not file:
            return ""
        folders = [folder for folder in (self._keys, SECRETS) if folder is not None]
        path = next((folder / file for folder in folders if (folder / file).is_file()), None)
        # A document of the API must not make us send any file of this machine to any address.
        if path is None or not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
            places = " or ".join(map(str, folders))
            raise NotConfigured(f"the key file {file!r} is not in {places}", backend=name)
        return path.read_text().strip()

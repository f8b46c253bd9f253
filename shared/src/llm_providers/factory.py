"""The one place that puts providers together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from llm_providers.catalogue import Catalogue
from llm_providers.deadline import Deadline
from llm_providers.providers import Providers
from llm_providers.router import Router
from llm_providers.routing import InvalidPolicy, Observer, PolicyError, PolicyFile, Silent
from llm_providers.settings import ProviderSettings, SettingsError
from llm_providers.types import EmbedKind, Role, Vectors

_SIMILARITY_SECONDS = 30


def get_provider(
    settings: ProviderSettings | None = None,
    observer: Observer | None = None,
    policy_file: Path | None = None,
    roles: Collection[Role] = tuple(Role),
) -> Providers:
    """Open the backends that the policy names for `roles`, and wrap them.

    The policy is what `policy_file` holds, or what the settings (by default the environment) say, which are also its
    first contents. Opening connects to nothing; raises `SettingsError` for a value that means nothing or a policy that
    names what is not configured, and `NotConfigured` where the embedded model has not been built.
    """
    chosen, observer = settings or ProviderSettings.from_env(), observer or Silent()
    catalogue = Catalogue(chosen)
    path = chosen.selection.policy_file or policy_file
    try:
        first = catalogue.first_policy()
        file = PolicyFile(path, first)
        # A role that the environment does not ask for is served where it can be, and left out where not.
        served = [
            role
            for role, wanted in sorted(file.current.roles.items())
            if role in roles and (role in first.roles or role in catalogue.roles().get(wanted.stable, ()))
        ]
        file.current.check(catalogue.roles(), served)
    except InvalidPolicy as error:
        raise SettingsError(f"the policy in {path} does not fit the environment: {error} ({error.field})") from error
    except PolicyError as error:
        raise SettingsError(f"POLICY_FILE: {error}") from error
    routers: dict[Role, Router] = {}

    async def embed(texts: Sequence[str]) -> Vectors:
        deadline = Deadline.after(_SIMILARITY_SECONDS)
        vectors: Vectors = await routers[Role.EMBEDDINGS].provider.embed(texts, EmbedKind.DOCUMENT, deadline)
        return vectors

    for role in served:
        routers[role] = Router(role, catalogue, chosen, file, observer, embed if Role.EMBEDDINGS in served else None)
    # The model in memory holds no connection: any event loop may use it. Connections belong to one.
    shared = set(catalogue.roles()) == {"embedded"}
    reopen = None if shared else (lambda: get_provider(chosen, observer, policy_file, roles))
    return Providers(chosen, routers, catalogue, file, observer, reopen)

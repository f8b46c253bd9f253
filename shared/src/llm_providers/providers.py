"""The providers of a process, by role, and the one place that puts them together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from llm_providers.backends import BackendOpener
from llm_providers.base import EmbeddingProvider, LateInteraction, LLMProvider, RerankProvider
from llm_providers.completion import complete
from llm_providers.composer import ChatComposer, EmbeddingComposer, RerankComposer, RoleComposer, Shared
from llm_providers.deadline import Deadline
from llm_providers.engines.addresses import InvalidAddress, refuse_link_local
from llm_providers.engines.table import Engine, roles_of
from llm_providers.environment import configured_engines, first_policy
from llm_providers.errors import NotConfigured, ProviderError
from llm_providers.portal import Portal
from llm_providers.readiness import Readiness, RoleWatch
from llm_providers.routing import InvalidPolicy, Observer, Policy
from llm_providers.routing.breaker import BreakerState
from llm_providers.routing.monitor import MonitoredTokens
from llm_providers.routing.policy import CHAT_ROLES
from llm_providers.routing.policy_file import PolicyError, PolicyFile
from llm_providers.settings import ProviderSettings, SettingsError
from llm_providers.types import ChatRequest, EmbedKind, EngineInfo, Message, Role, Vectors

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel

_ABOUT_SECONDS = 10
_SIMILARITY_SECONDS = 30
KEYS_FOLDER = "engine-keys"
"""Beside the policy: where key files of engines are looked for, besides the mounted secrets."""


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """`last_success` is Unix time; `last_error` the words of the last failure, None once it worked again."""

    backend: str
    model: str
    breaker: BreakerState
    last_success: float | None
    last_error: str | None
    extractive: bool


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """The backend that is called first, and its fallbacks."""

    active: BackendStatus
    fallbacks: tuple[BackendStatus, ...]


class Providers:
    """One provider per role that is served, and what can be asked and changed about them."""

    def __init__(
        self,
        shared: Shared,
        configured: Mapping[str, Engine],
        roles: Collection[Role],
        reopen: Callable[[], Awaitable[Providers]],
    ) -> None:
        self.settings, self.policy = shared.settings, shared.file
        self._shared = shared
        self.configured = dict(configured)
        """The engines of the environment and of ENGINES_FILE, which only a restart changes."""
        engines = self.engines(self.policy.current)
        policy = self.policy.current
        self._composers: dict[Role, RoleComposer[Any]] = {}
        embed = self._embed_for_comparison if Role.EMBEDDINGS in roles else None
        for role in roles:
            match role:
                case Role.EMBEDDINGS:
                    self._composers[role] = EmbeddingComposer(role, shared, policy, engines)
                case Role.RERANK:
                    self._composers[role] = RerankComposer(role, shared, policy, engines)
                case _:
                    self._composers[role] = ChatComposer(role, shared, policy, engines, embed)
        self._portal = Portal(reopen)
        self._open = True
        self.readiness = Readiness(
            {role: RoleWatch(composer.last_success, composer.probe) for role, composer in self._composers.items()},
            interval=self.settings.resilience.probe_interval,
            probe_seconds=self.settings.times.first_token_timeout,
        )
        self.policy.watch(self._apply)

    async def start(self, required: set[Role] | None = None) -> None:
        """Begin to follow the policy, and to watch `required` roles (all that are served, by default)."""
        self.policy.start()
        self._shared.observer.on_policy(self.policy.current)
        await self.readiness.start(required)

    # --- the roles

    @property
    def text(self) -> LLMProvider:
        return cast(LLMProvider, self._composers[Role.TEXT].switch)

    @property
    def vision(self) -> LLMProvider | None:
        composer = self._composers.get(Role.VISION)
        return cast(LLMProvider, composer.switch) if composer else None

    @property
    def embeddings(self) -> EmbeddingProvider:
        return cast(EmbeddingProvider, self._composers[Role.EMBEDDINGS].switch)

    @property
    def rerank(self) -> RerankProvider | None:
        composer = self._composers.get(Role.RERANK)
        return cast(RerankProvider, composer.switch) if composer else None

    async def embedder(self, backend: str) -> EmbeddingProvider:
        """Return one backend's embeddings, whatever the policy says; raises `NotConfigured` if it serves none.

        A batch is one request, so that its answer can be verified: texts that are too long are refused, not split.
        """
        return cast(EmbeddingProvider, await self._composer(Role.EMBEDDINGS, backend).single(backend))

    async def in_process(self, backend: str) -> bool:
        """Whether the model of an embedding backend lives in this process; raises `NotConfigured`."""
        return (await self._composer(Role.EMBEDDINGS, backend).member(backend)).backend.in_process

    async def late_interaction(self, backend: str) -> LateInteraction | None:
        """Return an embedding backend as one that re-ranks by token vectors, None if it does not; raises `NotConfigured`."""
        member = await self._composer(Role.EMBEDDINGS, backend).member(backend)
        return MonitoredTokens(member.backend, member.monitor) if isinstance(member.backend, LateInteraction) else None

    async def token_reranker(self, backend: str) -> LateInteraction | None:
        """Return what `late_interaction` does, if the policy has `backend` re-rank too; None otherwise."""
        wanted = self.policy.current.roles.get(Role.RERANK)
        if Role.RERANK not in self._composers or wanted is None or wanted.halted or wanted.stable != backend:
            return None
        return await self.late_interaction(backend)

    def _composer(self, role: Role, backend: str) -> RoleComposer[Any]:
        if role not in self._composers:
            raise NotConfigured(f"{role} is not served here", backend=backend)
        return self._composers[role]

    # --- the table and the policy

    def engines(self, policy: Policy | None = None) -> dict[str, Engine]:
        """Return the table: the configured engines, and those that the policy's document adds."""
        added = (policy or self.policy.current).engines
        # An entry of the environment that has come since counts: its variables are what the operator changed last.
        return {**added, **self.configured}

    def backends(self) -> dict[str, frozenset[Role]]:
        """Return the engines, and the roles that each can serve."""
        return roles_of(self.engines())

    def model(self, role: Role, backend: str) -> str:
        """Return the model by which a backend serves a role."""
        return self.engines()[backend].roles[role].model

    async def change(self, expected: int, compute: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        """Change the policy or the table for every service that shares the file; in effect here on return.

        Raises `StalePolicy` unless its revision is `expected`, `InvalidPolicy`, and `ManagedElsewhere`.
        """

        def checked(before: Policy) -> Policy:
            after = compute(before)
            self._check_engines(before, after)
            # Other services serve other roles: a mistake must not reach them through this one.
            changed = [role for role, wanted in after.roles.items() if wanted != before.roles.get(role)]
            after.check(roles_of(self.engines(after)), {*self._composers, *changed})
            return after

        written = await asyncio.to_thread(self.policy.replace, expected, checked, by, why)
        await self.policy.adopt(written)
        return written

    async def change_engines(self, expected: int, added: Mapping[str, Engine], by: str, why: str) -> Policy:
        """Replace the engines that were added while running; raises what `change` does."""
        for name, engine in added.items():
            for role, endpoint in engine.roles.items():
                field = f"engines.{name}.roles.{role}"
                if endpoint.api_key.get_secret_value():
                    raise InvalidPolicy("name a key file (api_key_file): keys do not belong into documents", field)
                try:
                    await refuse_link_local(engine.address(role))
                except InvalidAddress as error:
                    raise InvalidPolicy(str(error), field) from error
        return await self.change(expected, lambda before: before.model_copy(update={"engines": dict(added)}), by, why)

    def _check_engines(self, before: Policy, after: Policy) -> None:
        for name in after.engines.keys() - before.engines.keys():
            if name in self.configured:
                words = "is configured by the environment or ENGINES_FILE: change it there, or add another name"
                raise InvalidPolicy(f"{name!r} {words}", f"engines.{name}")
        for name in before.engines.keys() - after.engines.keys() - self.configured.keys():
            if roles := after.users_of(name):
                words = f"can't be removed: the policy names it for {', '.join(roles)}"
                raise InvalidPolicy(f"{name!r} {words}", f"engines.{name}")

    async def _apply(self, policy: Policy) -> None:
        self._shared.observer.on_policy(policy)
        engines = self.engines(policy)
        for role, composer in self._composers.items():
            try:
                policy.check(roles_of(engines), [role])
                await composer.apply(policy, engines)
            except (InvalidPolicy, ProviderError) as error:
                # A file that was edited by hand, and not checked by us: the role stays with what it had.
                self.policy.fault = f"revision {policy.revision}: {error}"

    # --- state

    async def check(self, role: Role, backend: str) -> None:
        """Let one backend do real work once; raises what it raises, and `NotConfigured`."""
        await self._composer(role, backend).check(backend, self.deadline())

    async def about(self) -> dict[str, dict[Role, EngineInfo | ProviderError]]:
        """Ask each engine what runs there, per role; an error where it does not answer."""
        described: dict[str, dict[Role, EngineInfo | ProviderError]] = {}
        for role in self._composers:
            for name, roles in self.backends().items():
                if role in roles:
                    described.setdefault(name, {})[role] = await self.about_one(role, name)
        return described

    async def about_one(self, role: Role, name: str) -> EngineInfo | ProviderError:
        """Ask one engine what runs there for a role that is served; an error where it does not answer."""
        try:
            member = await self._composers[role].member(name)
            info: EngineInfo = await member.backend.about(Deadline.after(_ABOUT_SECONDS))
        except ProviderError as error:
            return error
        return info

    def running(self) -> dict[Role, dict[str, int]]:
        """Return how many calls are under way per role and backend, in this process."""
        return {role: composer.running() for role, composer in self._composers.items()}

    def trials(self) -> dict[Role, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        """Return the reports of canary and shadow per role, None where there is none."""
        return {
            role: (composer.rollout.canary_report(), composer.rollout.shadow_report())
            for role, composer in self._composers.items()
            if isinstance(composer, ChatComposer)
        }

    def status(self) -> dict[Role, RoleStatus]:
        """Return per role: backend, model, breaker state, last success."""
        return {role: _status(composer) for role, composer in self._composers.items()}

    def deadline(self) -> Deadline:
        """Return a fresh budget for one request, as configured."""
        return Deadline.after(self.settings.times.request_timeout)

    # --- for code without an event loop

    def invoke(self, prompt: str, *, max_tokens: int = 1024) -> str:
        """Answer one prompt, waiting for it; works inside a running event loop too, which then stands still."""

        async def ask(providers: Providers) -> str:
            request = ChatRequest((Message("user", prompt),), max_tokens=max_tokens)
            return (await complete(providers.text, request, providers.deadline())).text

        return self._portal.call(ask)

    def initialize_llm(self) -> BaseChatModel:
        """Return a LangChain chat model over the text role; needs the extra `langchain`."""
        from llm_providers.langchain import ProviderChatModel

        return ProviderChatModel(chat=self.text, portal=self._portal)

    def initialize_embeddings(self) -> Embeddings:
        """Return a LangChain embeddings object over the embeddings role; needs the extra `langchain`."""
        from llm_providers.langchain import ProviderEmbeddings

        return ProviderEmbeddings(self.embeddings, self._portal)

    def get_direct_client(self) -> Any:
        """Return the SDK's own client of the engine that serves text; its type depends on the kind of engine."""
        return self._composers[Role.TEXT].chain[0].backend.get_direct_client()

    # --- end

    async def aclose(self) -> None:
        """Stop the background work, and close every backend; may be called twice."""
        if not self._open:
            return
        self._open = False
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._shared.opener.aclose)
            for composer in self._composers.values():
                stack.push_async_callback(composer.aclose)
            stack.push_async_callback(self.readiness.aclose)
            stack.push_async_callback(self.policy.aclose)
            await asyncio.to_thread(self._portal.close)

    async def _embed_for_comparison(self, texts: Sequence[str]) -> Vectors:
        return await self.embeddings.embed(texts, EmbedKind.DOCUMENT, Deadline.after(_SIMILARITY_SECONDS))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def get_provider(
    settings: ProviderSettings | None = None,
    observer: Observer | None = None,
    policy_file: Path | None = None,
    roles: Collection[Role] = tuple(Role),
) -> Providers:
    """Open the backends that the policy names for `roles`, and wrap them.

    The policy is what `policy_file` holds, or what the settings (by default the environment) say, which are also its
    first contents. Opening connects to nothing; raises `SettingsError` for an invalid value or a policy that names an
    engine which is not in the table, and `NotConfigured` where the embedded model has not been built.
    """
    chosen, observer = settings or ProviderSettings.from_env(), observer or Observer()
    configured = configured_engines(chosen)
    path = chosen.selection.policy_file or policy_file
    try:
        first = first_policy(chosen, configured)
        file = PolicyFile(path, first)
        table = roles_of({**file.current.engines, **configured})
        # A role that the environment does not ask for is served where it can be, and left out where not.
        served = [
            role
            for role, wanted in sorted(file.current.roles.items())
            if role in roles and (role in first.roles or role in table.get(wanted.stable, ()))
        ]
        file.current.check(table, served)
    except InvalidPolicy as error:
        raise SettingsError(f"the policy in {path} does not fit the environment: {error} ({error.field})") from error
    except PolicyError as error:
        raise SettingsError(f"POLICY_FILE: {error}") from error
    opener = BackendOpener(chosen, path.parent / KEYS_FOLDER if path else None)
    shared = Shared(opener, chosen, file, observer)

    async def reopen() -> Providers:
        """Open the same on another event loop, where it follows the policy too."""
        other = get_provider(chosen, Observer(), policy_file, roles)
        other.policy.start()
        return other

    return Providers(shared, configured, served, reopen)


def _status(composer: RoleComposer[Any]) -> RoleStatus:
    first, *others = [
        BackendStatus(
            member.name,
            member.engine.roles[composer.role].model,
            member.breaker.state,
            member.monitor.last_success,
            str(member.monitor.last_error) if member.monitor.last_error else None,
            composer.role in CHAT_ROLES and member.backend.extractive,
        )
        for member in composer.chain
    ]
    return RoleStatus(first, tuple(others))

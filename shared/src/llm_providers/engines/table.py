"""What an engine is: a named entry with a kind, and an endpoint for each role that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, SecretStr, model_validator

from llm_providers.engines.addresses import normalise
from llm_providers.types import Role

StructuredOutput = Literal["json_schema", "json_object", "none"]
Address = Annotated[str, AfterValidator(lambda value: normalise(value) if value else "")]
EngineName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Kind(StrEnum):
    """The protocol that an engine speaks."""

    OPENAI = "openai"
    """vLLM, SGLang, llama.cpp, LM Studio, TGI and every other server of OpenAI's protocol."""
    OLLAMA = "ollama"
    """Ollama by its native protocol: the OpenAI-compatible one cannot set the context length."""
    EMBEDDED = "embedded"
    """No server: a sentence encoder and extraction in this process."""


_CANNOT_SERVE = {Kind.OPENAI: (), Kind.OLLAMA: (Role.RERANK,), Kind.EMBEDDED: (Role.VISION,)}


class FrozenDocument(BaseModel):
    """A document that never changes, and refuses members that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(FrozenDocument):
    """One role of an engine. What is None is found out from the server and remembered."""

    model: str = Field(min_length=1, max_length=300)
    url: Address = ""
    """Where the server of this role listens; the engine's address if empty."""
    api_key_file: str = ""
    """File with the server's key; the engine's if empty."""
    api_key: SecretStr = Field(SecretStr(""), exclude=True)
    """The key itself, only ever from the environment: documents name a file."""
    context_tokens: PositiveInt | None = None
    continues: bool | None = None
    """Whether it can continue a partial answer."""
    structured_output: StructuredOutput | None = None
    """How far it obeys a JSON Schema: natively, as any JSON object, or by the prompt alone."""
    stream_usage: bool | None = None
    """Whether it accepts `stream_options` and counts tokens in streams."""
    reasoning_tokens: PositiveInt = 4096
    """Tokens a reasoning model may think before its answer, on top of the answer's own limit."""


class Engine(FrozenDocument):
    """One entry of the table."""

    kind: Kind
    url: Address = ""
    api_key_file: str = ""
    keep_alive: str = "5m"
    """How long an unused model stays in memory (Ollama)."""
    max_context: PositiveInt = 32768
    """Tokens of context that are asked for at most, whatever the model could do (Ollama)."""
    roles: dict[Role, Endpoint] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        for role, endpoint in self.roles.items():
            if role in _CANNOT_SERVE[self.kind]:
                raise ValueError(f"roles.{role}: engines of kind {self.kind} do not serve {role}")
            if self.kind is not Kind.EMBEDDED and not (endpoint.url or self.url):
                raise ValueError(f"roles.{role}: an engine of kind {self.kind} needs a url")
            key_file = endpoint.api_key_file or self.api_key_file
            if ".." in PurePath(key_file).parts:
                raise ValueError("api_key_file must not contain ..")
        return self

    @property
    def extractive(self) -> bool:
        """Whether it only quotes its sources instead of writing."""
        return self.kind is Kind.EMBEDDED

    def address(self, role: Role) -> str:
        """Return where the server of a role listens."""
        return self.roles[role].url or self.url

    def key_file(self, role: Role) -> str:
        """Return the name of the file with the key of a role's server; empty for none."""
        return self.roles[role].api_key_file or self.api_key_file


def roles_of(engines: Mapping[str, Engine]) -> dict[str, frozenset[Role]]:
    """Return each engine's name and the roles that it serves."""
    return {name: frozenset(engine.roles) for name, engine in engines.items()}

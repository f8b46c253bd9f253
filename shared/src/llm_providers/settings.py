"""Settings of the providers, read from the environment; the defaults live here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from llm_providers.deadline import Timeouts
from llm_providers.engines.addresses import normalise
from llm_providers.engines.table import Address
from llm_providers.faults import said

S = TypeVar("S", bound=BaseSettings)
SECRETS = Path("/run/secrets")


def secrets_dir() -> Path | None:
    """Where Docker and Kubernetes mount secrets, if there are any: a file's name is a variable's, its contents the value."""
    return SECRETS if SECRETS.is_dir() else None


class _Secrets(SecretsSettingsSource):
    """Secrets from files; an empty file means not set, because Compose mounts one for a secret that is not set."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if value != ""}


class EnvironmentSettings(BaseSettings):
    """Settings from the environment or, where it is silent, from secrets mounted as files."""

    # Compose passes a variable that is not set as an empty one.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(file_secret_settings, SecretsSettingsSource)
        secrets = _Secrets(settings_cls, file_secret_settings.secrets_dir)
        return init_settings, env_settings, dotenv_settings, secrets


class SettingsError(ValueError):
    """A variable is missing or invalid; the message names it."""


Url = Annotated[str, AfterValidator(normalise)]


class SelectionSettings(EnvironmentSettings):
    """Who serves the roles."""

    llm_provider: Literal["embedded", "ollama", "vllm"] = "embedded"
    use_vllm: bool = False
    """Short for LLM_PROVIDER=vllm."""
    use_vision_analysis: bool = True
    embedded_model: Literal["multilingual-e5-small", "all-MiniLM-L6-v2"] = "multilingual-e5-small"
    """Sentence encoder of the embedded engine: many languages, or English only, half the time and a fifth of the size."""
    embedded_model_dir: Path | None = None
    """Folder of that model; where `make setup` puts it if not set."""
    policy_file: Path | None = None
    """Where the policy lies that all services share; policy/policy.json in DATA_DIR if not set."""
    engines_file: Path | None = None
    """A YAML file with more engines than the variables describe."""

    @property
    def provider(self) -> Literal["embedded", "ollama", "vllm"]:
        """The effective provider; raises `SettingsError` where the two variables contradict each other."""
        if self.use_vllm and self.llm_provider != "vllm" and "llm_provider" in self.model_fields_set:
            raise SettingsError(f"USE_VLLM is true, but LLM_PROVIDER is {self.llm_provider}: leave one of them out")
        return "vllm" if self.use_vllm else self.llm_provider


class VLLMSettings(EnvironmentSettings):
    """vLLM: one server per role; the addresses may include the /v1."""

    model_config = SettingsConfigDict(env_prefix="VLLM_")

    url: Url = "http://localhost:8000"
    model: str = "Qwen/Qwen3-4B-Instruct-2507"
    api_key: SecretStr = SecretStr("")
    embed_url: Url = "http://localhost:8001"
    embed_model: str = "nomic-ai/nomic-embed-text-v1.5"
    rerank_url: Address = ""
    rerank_model: str = "BAAI/bge-reranker-v2-m3"
    fallback: bool = False
    """Let Ollama answer (text only) when vLLM can't."""


class OllamaSettings(EnvironmentSettings):
    """Ollama."""

    model_config = SettingsConfigDict(env_prefix="OLLAMA_")

    url: Url = "http://localhost:11434"
    model: str = "llama3.2"
    embed_model: str = "nomic-embed-text"
    vision_model: str = "llava"
    keep_alive: str = "5m"
    max_context: PositiveInt = 32768
    """Tokens; what `num_ctx` never goes beyond, whatever the model could do."""


class TimeSettings(EnvironmentSettings):
    """Time-outs in seconds."""

    connect_timeout: PositiveFloat = 5.0
    first_token_timeout: PositiveFloat = 120.0
    idle_timeout: PositiveFloat = 30.0
    request_timeout: PositiveFloat = 300.0

    def timeouts(self) -> Timeouts:
        """As backends take them."""
        return Timeouts(self.connect_timeout, self.first_token_timeout, self.idle_timeout)


class ResilienceSettings(EnvironmentSettings):
    """How failures are met."""

    retry_attempts: PositiveInt = 3
    breaker_failures: PositiveInt = 5
    breaker_reset: PositiveFloat = 5.0
    probe_interval: PositiveFloat = 30.0


class ProviderSettings(BaseModel):
    """Everything above, read once at start and passed down."""

    model_config = ConfigDict(frozen=True)

    selection: SelectionSettings = Field(default_factory=SelectionSettings)
    vllm: VLLMSettings = Field(default_factory=VLLMSettings)
    ollama: OllamaSettings = Field(default_factory=OllamaSettings)
    times: TimeSettings = Field(default_factory=TimeSettings)
    resilience: ResilienceSettings = Field(default_factory=ResilienceSettings)

    @classmethod
    def from_env(cls, env_file: Path | None = None) -> Self:
        """Read the environment, and `env_file` where it is silent; raises `SettingsError`."""
        settings = cls(**{name: read(group, env_file) for name, group in zip(cls.model_fields, GROUPS, strict=True)})
        _ = settings.selection.provider
        return settings


GROUPS: tuple[type[EnvironmentSettings], ...] = (
    SelectionSettings,
    VLLMSettings,
    OllamaSettings,
    TimeSettings,
    ResilienceSettings,
)
"""In the order of the fields of `ProviderSettings`."""


def variables(group: type[BaseSettings]) -> dict[str, Any]:
    """The environment variables a group of settings reads, with their defaults."""
    prefix = group.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or prefix + name).upper(): field.get_default(call_default_factory=True)
        for name, field in group.model_fields.items()
    }


def read(group: type[S], env_file: Path | None = None) -> S:
    """Read one group; raises `SettingsError`, which names every variable at fault."""
    try:
        return group(_env_file=env_file, _secrets_dir=secrets_dir())
    except ValidationError as error:
        names = dict(zip(group.model_fields, variables(group), strict=True))
        faults = [
            f"{said(names.get(str(each['loc'][0]), str(each['loc'][0])), each)} (got {each['input']!r})"
            for each in error.errors()
        ]
        raise SettingsError("; ".join(faults)) from error

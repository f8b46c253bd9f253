"""Every setting is documented with its default, and a value that means nothing is named at start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from llm_providers import settings
from llm_providers.settings import (
    ProviderSettings,
    SelectionSettings,
    SettingsError,
    VLLMSettings,
    read,
    variables,
)

EXAMPLE = Path(__file__).parents[2] / ".env.example"

# Every heading of `.env.example`, and the classes that read the variables under it.
SECTIONS: dict[str, tuple[type[BaseSettings], ...]] = {"# --- Providers": settings.GROUPS}
GROUPS = [(heading, group) for heading, groups in SECTIONS.items() for group in groups]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, group in GROUPS:
        for name in variables(group):
            monkeypatch.delenv(name, raising=False)


def documented(heading: str) -> dict[str, str]:
    """The variables under a heading of `.env.example`, with the values shown."""
    section = EXAMPLE.read_text("utf-8").split(heading, 1)[1].split("\n# --- ", 1)[0]
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", section, re.MULTILINE))


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_variable_is_documented_and_every_documented_one_exists(heading: str) -> None:
    known = {name for group in SECTIONS[heading] for name in variables(group)}
    assert set(documented(heading)) == known


@pytest.mark.parametrize(("heading", "group"), GROUPS, ids=[group.__name__ for _, group in GROUPS])
def test_the_documented_values_are_the_defaults(
    heading: str, group: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = read(group)
    for name, value in documented(heading).items():
        if name in variables(group):
            monkeypatch.setenv(name, value)
    assert read(group) == defaults


def test_nothing_set_means_embedded() -> None:
    assert ProviderSettings.from_env().selection.provider == "embedded"


def test_use_vllm_is_short_for_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_VLLM", "true")
    assert ProviderSettings.from_env().selection.provider == "vllm"


def test_contradictions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_VLLM", "true")
    monkeypatch.setenv("LLM_PROVIDER", "ollama")
    with pytest.raises(SettingsError, match=r"USE_VLLM.*LLM_PROVIDER"):
        ProviderSettings.from_env()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLM_PROVIDER", "gpt"),
        ("USE_VLLM", "perhaps"),
        ("VLLM_URL", "localhost:8000"),
        ("VLLM_URL", "http://"),
        ("VLLM_RERANK_URL", "ftp://x"),
        ("OLLAMA_MAX_CONTEXT", "0"),
        ("FIRST_TOKEN_TIMEOUT", "-1"),
        ("IDLE_TIMEOUT", "soon"),
        ("RETRY_ATTEMPTS", "1.5"),
    ],
)
def test_a_value_that_means_nothing_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        ProviderSettings.from_env()


def test_all_faults_of_a_group_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_TIMEOUT", "0")
    monkeypatch.setenv("IDLE_TIMEOUT", "x")
    with pytest.raises(SettingsError, match=r"CONNECT_TIMEOUT.*IDLE_TIMEOUT"):
        ProviderSettings.from_env()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_EMBED_URL", "")
    monkeypatch.setenv("LLM_PROVIDER", "")
    assert ProviderSettings.from_env() == ProviderSettings()


def test_a_file_stands_in_where_the_environment_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("LLM_PROVIDER=ollama\nOLLAMA_MODEL=from-file\nOLLAMA_URL=http://file:1\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("OLLAMA_MODEL", "from-environment")
    found = ProviderSettings.from_env(file)
    assert found.selection.provider == "ollama"
    assert (found.ollama.model, found.ollama.url) == ("from-environment", "http://file:1")


def test_the_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "s3cret")
    assert "s3cret" not in repr(ProviderSettings.from_env())
    assert read(VLLMSettings).api_key.get_secret_value() == "s3cret"


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        SelectionSettings().use_vllm = True

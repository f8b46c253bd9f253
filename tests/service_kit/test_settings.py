"""Every setting of every service stands in `.env.example`, with its default, and nothing else does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from llm_providers.settings import VLLMSettings
from service_kit.output_guard import OutputGuardSettings
from service_kit.settings import ServiceSettings
from switchyard.services import SERVICES

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SECTIONS = {
    "# --- All services": ServiceSettings,
    "# --- What models write": OutputGuardSettings,
    **{
        f"# --- {service.name}": getattr(import_module(f"{service.module}.settings"), service.settings_class)
        for service in SERVICES
    },
}


def own_fields(settings: type[BaseSettings]) -> set[str]:
    """The fields of a class that are not those of a class which it shares with others."""
    shared = (each for each in (ServiceSettings, OutputGuardSettings) if each is not settings)
    return set(settings.model_fields).difference(*(each.model_fields for each in shared))


def documented(heading: str) -> dict[str, str]:
    section = EXAMPLE.read_text("utf-8").split(f"{heading}\n", 1)[1].split("\n# --- ", 1)[0]
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", section, re.MULTILINE))


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_setting_is_documented_with_its_default(heading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SECTIONS[heading]
    for name in settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    shown = documented(heading)
    assert {name.lower() for name in shown} == own_fields(settings)
    defaults = settings()
    for name, value in shown.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            assert getattr(defaults, name.lower()) is None
    assert settings() == defaults


def asked_for_by_compose() -> dict[str, set[str]]:
    """The variables that the Compose files read, and what they take where one is not set."""
    found: dict[str, set[str]] = {}
    for file in (*EXAMPLE.parent.glob("docker-compose*.yml"), *EXAMPLE.parent.glob("deploy/compose/*.yml")):
        for name, default in re.findall(r"\$\{([A-Z_]+):[-+](?:\$\{[A-Z_]+:-)?([^}]*)\}", file.read_text("utf-8")):
            found.setdefault(name, set()).add(default)
    return found


def test_what_compose_reads_is_documented_with_its_default() -> None:
    shown = documented("# --- Docker Compose")
    elsewhere = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text("utf-8"), re.MULTILINE)) - shown.keys()
    for name, defaults in asked_for_by_compose().items():
        assert name in shown or name in elsewhere
        if name in shown and not name.endswith("_FILE"):
            # Empty: the reader has the default (the gateway, the entrypoint of vLLM).
            assert shown[name] in defaults or "" in defaults, name
    assert shown.keys() == asked_for_by_compose().keys() - elsewhere


def test_nothing_is_documented_that_does_not_exist() -> None:
    from llm_providers import settings as providers

    known = {name.upper() for each in SECTIONS.values() for name in each.model_fields}
    known |= {name for group in providers.GROUPS for name in providers.variables(group)}
    known |= set(asked_for_by_compose())
    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text("utf-8"), re.MULTILINE)) == known


def test_secrets_are_read_from_files_and_empty_ones_are_none(tmp_path: Path) -> None:
    (tmp_path / "ADMIN_API_KEY").write_text("sy-of-my-own-choice\n")
    (tmp_path / "VLLM_API_KEY").write_text("")
    key = ServiceSettings(_secrets_dir=tmp_path).admin_api_key
    assert key is not None
    assert key.get_secret_value() == "sy-of-my-own-choice"
    assert VLLMSettings(_secrets_dir=tmp_path).api_key.get_secret_value() == ""


def test_the_environment_comes_before_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "VLLM_API_KEY").write_text("from the file")
    assert VLLMSettings(_secrets_dir=tmp_path).api_key.get_secret_value() == "from the file"
    monkeypatch.setenv("VLLM_API_KEY", "from the environment")
    assert VLLMSettings(_secrets_dir=tmp_path).api_key.get_secret_value() == "from the environment"

"""The table at start: the variables' three entries, and ENGINES_FILE's."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import OpenAIEngine
from engines.contract import ask, assert_whole, collect, soon
from llm_providers import ProviderSettings, get_provider
from llm_providers.engines.table import Kind
from llm_providers.environment import configured_engines, read_engines_file
from llm_providers.settings import OllamaSettings, SelectionSettings, SettingsError, VLLMSettings
from llm_providers.types import Role, Started

FILE = """\
engines:
  # the next model, beside the one in use
  vllm-next:
    kind: openai
    url: http://vllm-next:8000/v1
    roles:
      text: {model: Qwen/Qwen3-8B, context_tokens: 16384}
      embeddings: {model: nomic-ai/nomic-embed-text-v1.5, url: "http://vllm-next-embed:8000"}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "engines.yml"
    path.write_text(text)
    return path


def test_the_variables_make_the_entries_that_they_always_made() -> None:
    settings = ProviderSettings(
        selection=SelectionSettings(llm_provider="vllm"),
        vllm=VLLMSettings(url="http://a/v1", embed_url="http://b/v1", rerank_url="http://c", api_key="k"),
        ollama=OllamaSettings(vision_model="llava"),
    )
    engines = configured_engines(settings)
    assert set(engines) == {"embedded", "ollama", "vllm"}
    assert {role: engines["vllm"].address(role) for role in engines["vllm"].roles} == {
        Role.TEXT: "http://a",
        Role.EMBEDDINGS: "http://b",
        Role.RERANK: "http://c",
    }
    assert engines["ollama"].roles[Role.VISION].model == "llava"
    assert engines["embedded"].kind is Kind.EMBEDDED
    assert "k" not in engines["vllm"].model_dump_json().split('"')


def test_a_file_adds_entries(tmp_path: Path) -> None:
    engine = read_engines_file(written(tmp_path, FILE))["vllm-next"]
    assert engine.address(Role.TEXT) == "http://vllm-next:8000"
    assert engine.address(Role.EMBEDDINGS) == "http://vllm-next-embed:8000"
    assert engine.roles[Role.TEXT].context_tokens == 16384


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (FILE.replace("kind: openai", "kind: opnai"), 4, "kind"),
        (FILE.replace("http://vllm-next:8000/v1", "http://u:p@vllm"), 5, "user name or password"),
        (FILE.replace("context_tokens: 16384", "context_tokens: many"), 7, "context_tokens"),
        (FILE.replace("context_tokens", "context"), 7, "is not known here"),
        (FILE.replace("text:", "txt:"), 7, "roles.txt"),
        (FILE.replace("vllm-next:\n", "VLLM next:\n"), 3, "VLLM next"),
        (FILE.replace("    url: http://vllm-next:8000/v1\n", ""), 3, "needs a url"),
        (FILE.replace("kind: openai", "kind: ollama").replace("embeddings:", "rerank:"), 3, "do not serve rerank"),
        ("engines: [", 1, ""),
        ("", 1, "engines"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError, match="ENGINES_FILE") as caught:
        read_engines_file(written(tmp_path, text))
    assert f"line {line}" in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ENGINES_FILE.*missing\.yml"):
        read_engines_file(tmp_path / "missing.yml")


def test_a_name_of_the_environment_is_taken(tmp_path: Path) -> None:
    selection = SelectionSettings(engines_file=written(tmp_path, FILE.replace("vllm-next:", "embedded:", 1)))
    with pytest.raises(SettingsError, match=r"embedded.*configure this engine already"):
        configured_engines(ProviderSettings(selection=selection))


async def test_an_engine_of_the_file_serves(tmp_path: Path, openai_engine: OpenAIEngine) -> None:
    text = f"engines:\n  next: {{kind: openai, url: '{openai_engine.url}', roles: {{text: {{model: llama3.2}}}}}}\n"
    selection = SelectionSettings(engines_file=written(tmp_path, text))
    async with get_provider(ProviderSettings(selection=selection)) as providers:
        await providers.change(1, lambda policy: policy.with_role(Role.TEXT, stable="next"), "ada", "try")
        events = await collect(providers.text.chat(ask(), soon()))
        assert_whole(events)
        assert isinstance(events[0], Started)
        assert events[0].backend == "next"

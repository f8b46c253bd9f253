"""What the environment configures: the first entries of the table, from variables and ENGINES_FILE, and the first policy."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from llm_providers.engines.table import Endpoint, Engine, EngineName, FrozenDocument, Kind
from llm_providers.faults import said
from llm_providers.routing.policy import Change, Policy, RolePolicy
from llm_providers.settings import ProviderSettings, SettingsError
from llm_providers.types import Role


class EnginesFile(FrozenDocument):
    """The content of ENGINES_FILE."""

    engines: dict[EngineName, Engine]


def configured_engines(settings: ProviderSettings) -> dict[str, Engine]:
    """Return the engines of the environment and of ENGINES_FILE; raises `SettingsError`."""
    engines = _from_variables(settings)
    if settings.selection.engines_file is not None:
        added = read_engines_file(settings.selection.engines_file)
        if taken := engines.keys() & added.keys():
            names = ", ".join(sorted(taken))
            raise SettingsError(f"ENGINES_FILE: {names}: the environment's variables configure this engine already")
        engines |= added
    return engines


def first_policy(settings: ProviderSettings, engines: Mapping[str, Engine]) -> Policy:
    """Return the policy that the environment asks for, which holds until somebody changes it."""
    selected = settings.selection.provider
    serve = {role: RolePolicy(stable=selected) for role in engines[selected].roles}
    if selected == "vllm":
        if settings.vllm.fallback:
            serve[Role.TEXT] = RolePolicy(stable="vllm", fallbacks=("ollama",))
        if settings.selection.use_vision_analysis:
            serve[Role.VISION] = RolePolicy(stable="ollama")
    return Policy(changed=Change.now("environment", f"LLM_PROVIDER={selected}"), roles=serve)


def read_engines_file(path: Path) -> dict[str, Engine]:
    """Read the YAML file; raises `SettingsError` that names the file, the line and the field at fault."""
    try:
        text = path.read_text()
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise SettingsError(f"ENGINES_FILE: {path} can't be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise SettingsError(f"ENGINES_FILE: {path}{line}: {getattr(error, 'problem', None) or error}") from error
    try:
        return EnginesFile.model_validate(content).engines
    except ValidationError as error:
        faults = [
            f"{path}, line {_line(root, item['loc'])}: {said('.'.join(map(str, item['loc'])) or 'file', item)}"
            for item in error.errors()
        ]
        raise SettingsError("ENGINES_FILE: " + "; ".join(faults)) from error


def _line(node: Any, location: tuple[int | str, ...]) -> int:
    """Return the line of the deepest part of `location` that the document has."""
    line = 1
    for part in location:
        if not isinstance(node, yaml.MappingNode):
            break
        pair = next((pair for pair in node.value if str(pair[0].value) == str(part)), None)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def _from_variables(settings: ProviderSettings) -> dict[str, Engine]:
    selection, ollama, vllm = settings.selection, settings.ollama, settings.vllm
    engines: dict[str, Engine] = {}
    # The model's files are looked for when it is opened.
    if selection.provider == "embedded" or find_spec("onnxruntime"):
        encoder = Endpoint(model=selection.embedded_model)
        roles = {Role.TEXT: Endpoint(model="extractive"), Role.EMBEDDINGS: encoder, Role.RERANK: encoder}
        engines["embedded"] = Engine(kind=Kind.EMBEDDED, roles=roles)
    if selection.provider in ("ollama", "vllm") or "url" in ollama.model_fields_set:
        roles = {Role.TEXT: Endpoint(model=ollama.model), Role.EMBEDDINGS: Endpoint(model=ollama.embed_model)}
        if selection.use_vision_analysis:
            roles[Role.VISION] = Endpoint(model=ollama.vision_model)
        engines["ollama"] = Engine(
            kind=Kind.OLLAMA,
            url=ollama.url,
            keep_alive=ollama.keep_alive,
            max_context=ollama.max_context,
            roles=roles,
        )
    if selection.provider == "vllm" or "url" in vllm.model_fields_set:
        roles = {Role.TEXT: Endpoint(url=vllm.url, model=vllm.model, api_key=vllm.api_key)}
        if selection.provider == "vllm" or "embed_url" in vllm.model_fields_set:
            roles[Role.EMBEDDINGS] = Endpoint(url=vllm.embed_url, model=vllm.embed_model, api_key=vllm.api_key)
        if vllm.rerank_url:
            roles[Role.RERANK] = Endpoint(url=vllm.rerank_url, model=vllm.rerank_model, api_key=vllm.api_key)
        engines["vllm"] = Engine(kind=Kind.OPENAI, roles=roles)
    return engines

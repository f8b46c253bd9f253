"""Secrets, the `.env`, licences, and the policy that waits in the volume."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from switchyard.stack.preflight import models
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding, fault, ok, warning

_SECRETS = ("HF_TOKEN", "ADMIN_API_KEY", "VLLM_API_KEY", "DATABASE_URL", "NOTES_DATABASE_URL")
_PASSWORD = re.compile(r"://[^/@:]*:[^/@]+@")
_FOREIGN = re.compile(r"^(COMPOSE_|DOCKER_|BUILDKIT_|https?_proxy$|no_proxy$|HTTPS?_PROXY$|NO_PROXY$)")
_READABLE_BY_OTHERS = 0o004
_OPEN_MODELS = "Qwen/Qwen3-4B-Instruct-2507 or Qwen/Qwen2.5-7B-Instruct"
_STARTS = {"ollama": "make up", "vllm": "make up-vllm"}


def secrets_in_dotenv(facts: Facts) -> Iterator[Finding]:
    """All of `.env` is in every service's environment, where anybody who may inspect a container reads it."""
    for name in _SECRETS:
        value = facts.dotenv.get(name, "")
        if value and (not name.endswith("DATABASE_URL") or _PASSWORD.search(value)):
            file = name.lower().replace("_", "-")
            yield fault(
                "secrets",
                f"{name} is in .env: every container would see it",
                f"write it into secrets/{file} (chmod 644), put {name}_FILE=./secrets/{file} into .env instead of it",
            )


def secret_files(facts: Facts) -> Iterator[Finding]:
    for name, secret in facts.secrets.items():
        if secret.fault:
            yield fault(
                "secrets", f"{name}: {secret.path}: {secret.fault}", f"mend {name}_FILE in .env, or make the file"
            )
        elif not secret.mode & _READABLE_BY_OTHERS:
            words = f"{name}: {secret.path} can't be read by the containers' user (10001)"
            yield fault(
                "secrets", words, f"chmod 644 {secret.path}, and keep strangers out by the folder's permissions"
            )
        elif secret.size:
            yield ok("secrets", f"{name}: {secret.path}")
        elif not secret.path.endswith("/none"):
            yield warning("secrets", f"{name}: {secret.path} is empty", f"write it, or take {name}_FILE out of .env")


def closed_files(facts: Facts) -> Iterator[Finding]:
    """A checkout made under a narrow umask: containers run as users of their own, and without root's rights."""
    if facts.closed:
        words = f"{facts.closed[0]} can't be read by the containers" + (
            f", and {len(facts.closed) - 1} more" if len(facts.closed) > 1 else ""
        )
        yield fault("files", words, "chmod -R go+rX deploy secrets, and keep strangers out by the folder above")


def tracked(facts: Facts) -> Iterator[Finding]:
    if facts.dotenv_tracked:
        yield fault("env", ".env is in git", "git rm --cached .env")


def names(facts: Facts) -> Iterator[Finding]:
    """A setting that nothing reads is mostly a slip of the pen."""
    if not facts.known_names:
        return
    known = {*facts.known_names, *_SECRETS, *(f"{name}_FILE" for name in _SECRETS)}
    for name in facts.dotenv:
        if name not in known and not _FOREIGN.match(name):
            near = get_close_matches(name, known, n=1)
            todo = f"did you mean {near[0]}?" if near else ".env.example lists those there are"
            yield warning("env", f"{name} in .env is not a setting", todo)


def licences(facts: Facts) -> Iterator[Finding]:
    """Say under which terms the models come, and whether a gated one can be fetched."""
    token = facts.secrets.get("HF_TOKEN")
    for setting in ("VLLM_MODEL", "VLLM_EMBED_MODEL", "VLLM_RERANK_MODEL"):
        name = facts.setting("vllm", setting)
        model = models.in_vllm(name) if name else None
        if name and models.gated(name) and not (token and token.size) and "huggingface" not in facts.volumes:
            shown = model.name if model else name
            words = f"{setting} {shown} is given only to those who accepted its licence, and there is no token"
            todo = f"accept it at https://huggingface.co/{shown} and set HF_TOKEN_FILE (secrets/README.md), or use {_OPEN_MODELS}"
            yield fault("licence", words, todo)
        if model:
            yield from _terms(setting, name, model.terms)
    wanted = facts.setting("ollama-models", "MODELS").split()
    if facts.setting("ollama-models", "USE_VISION_ANALYSIS", "true") == "true":
        wanted.append(facts.setting("ollama-models", "VISION_MODEL"))
    for name in wanted:
        found = models.in_ollama(name)
        if found:
            yield from _terms("Ollama", name, found.terms)


def _terms(setting: str, name: str, terms: str) -> Iterator[Finding]:
    if terms in models.NON_COMMERCIAL:
        yield warning(
            "licence", f"{setting} {name}: {models.TERMS[terms]}", "choose another size, or ask for a licence"
        )
    elif terms in models.TERMS:
        yield ok("licence", f"{setting} {name}: {models.TERMS[terms]}")


def policy(facts: Facts) -> Iterator[Finding]:
    """The policy outlives the stack: every backend that it names must be in the stack that is to start."""
    if not facts.services:
        return
    for role, wanted in sorted((facts.policy.get("roles") or {}).items()):
        places = {
            "stable": [wanted.get("stable")],
            "candidate": [wanted.get("candidate")],
            "fallbacks": wanted.get("fallbacks") or [],
        }
        lacking = {
            place: backend
            for place, backends in places.items()
            for backend in backends
            if backend in _STARTS and backend not in facts.services
        }
        for backend in sorted(set(lacking.values())):
            steps = list(_steps(role, lacking, next(other for other in _STARTS if other != backend)))
            if "rag-service" not in facts.running:
                steps.insert(0, _STARTS[backend])
            yield fault(
                "policy",
                f"the policy names {backend} for {role}, which this stack does not have: the services would not start",
                f"{'; '.join(steps)}; then start this stack",
            )


def _steps(role: str, lacking: Collection[str], other: str) -> Iterator[str]:
    """The commands that take a backend out of the policy of `role`, on a stack that has both."""
    if "candidate" in lacking:
        yield f'make switchyard DO="providers rollback --role {role}"'
    if "stable" in lacking:
        yield f"make use-{other}" if role == "text" else f'make switchyard DO="providers use {other} --role {role}"'
    if "stable" in lacking or "fallbacks" in lacking:  # the one that was replaced stands in from then on
        yield f'make switchyard DO="providers chain --role {role} --no-fallbacks"'
    if "stable" in lacking and role == "embeddings":
        yield f'make switchyard DO="reindex --provider {other}"'

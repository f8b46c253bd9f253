"""Cores, memory, ports, disk."""

from __future__ import annotations

from collections.abc import Iterator

from switchyard.stack.preflight import models
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding, fault, ok, warning
from switchyard.stack.preflight.models import GIB
from switchyard.stack.sizes import size

_SERVICES = 2 * GIB
"""What the services and Chroma take between them with a few documents in."""
_MODEL_SPARE = 1.2
# What the images take on disk, unpacked; ours are built from smaller ones.
_IMAGE_SIZES = {
    "vllm/": 24 * GIB,
    "switchyard-vllm-cpu": 8 * GIB,
    "switchyard-vllm": 24 * GIB,
    "ollama/": 5 * GIB,
    "switchyard-doc": 1 * GIB,
}
_IMAGE = 1 * GIB // 2
_SPARE_DISK = 5 * GIB
_ESTIMATE = 0.6
"""Sizes of images are estimates: with less than this share of them it can't work."""
_PORT_SETTINGS = {
    "gateway": "GATEWAY_PORT",
    "rag-service": "RAG_PORT",
    "notes-service": "NOTES_PORT",
    "doc-processor": "DOC_PROCESSOR_PORT",
    "grafana": "GRAFANA_PORT",
    "prometheus": "PROMETHEUS_PORT",
}


def cores(facts: Facts) -> Iterator[Finding]:
    """Docker refuses to start a container whose limit is above the machine's cores."""
    there = int(facts.engine.get("NCPU") or 0)
    if not there or not facts.services:
        return
    over = {service: facts.limit(service, "cpus") for service in facts.services}
    over = {service: limit for service, limit in over.items() if limit > there}
    for service, limit in over.items():
        yield fault(
            "cores",
            f"{service} may use {limit:g} cores and the machine has {there}: Docker will not start it",
            f"give the machine more cores, or set {service.upper().replace('-', '_')}_CPUS={there} if .env.example has it",
        )
    if not over:
        yield ok("cores", f"{there} cores")


def memory(facts: Facts) -> Iterator[Finding]:
    total = facts.memory.total if facts.memory else int(facts.engine.get("MemTotal") or 0)
    if not total or not facts.services:
        return
    limits = sum(facts.limit(service, "memory") for service in facts.services if not service.endswith("-models"))
    available = facts.memory.available if facts.memory else total
    needed = _SERVICES + sum(_loaded(facts).values())
    if needed > total:
        yield fault(
            "memory",
            f"the models and services need about {size(needed)} and the machine has {size(total)}",
            "choose smaller models (OLLAMA_MODEL=llama3.2:1b, USE_VISION_ANALYSIS=false), or use a card",
        )
    elif needed > available and not facts.running:
        yield warning(
            "memory",
            f"about {size(needed)} are needed, {size(available)} of {size(total)} are free",
            "end other programs",
        )
    elif limits > total:
        words = f"the containers together may use {size(limits)}, more than the machine's {size(total)}"
        yield warning("memory", words, "fine as long as they don't; else lower OLLAMA_MEMORY or RAG_MEMORY in .env")
    else:
        yield ok(
            "memory", f"{size(available)} of {size(total)} free; about {size(needed)} needed, at most {size(limits)}"
        )
    for service, weights in _loaded(facts).items():
        limit = facts.limit(service, "memory")
        if limit and weights > limit:
            words = f"{service}'s models need about {size(weights)} and it may have {size(limit)}"
            yield fault("memory", words, f"raise {service.upper()}_MEMORY in .env, or choose smaller models")


def _loaded(facts: Facts) -> dict[str, float]:
    """Bytes of main memory that models take, by the service that loads them: those not on a card."""
    loaded: dict[str, float] = {}
    if facts.vllm_on_cpu:
        names = [facts.setting("vllm", name) for name in ("VLLM_MODEL", "VLLM_EMBED_MODEL", "VLLM_RERANK_MODEL")]
        found = [model for model in map(models.in_vllm, names) if model]
        # Each server whose model keeps a cache takes that much; the one for text always does.
        caches = max(1, sum(model.kv_per_token > 0 for model in found))
        cache = float(facts.setting("vllm", "VLLM_CPU_KVCACHE_SPACE", "4")) * GIB
        loaded["vllm"] = sum(model.weights for model in found) + caches * cache
    if "ollama" in facts.services and not facts.devices("ollama"):
        names = [facts.setting("ollama", name) for name in ("CHAT_MODEL", "EMBED_MODEL")]
        loaded["ollama"] = _MODEL_SPARE * sum(model.weights for model in map(models.in_ollama, names) if model)
    return loaded


def ports(facts: Facts) -> Iterator[Finding]:
    for service, given in facts.services.items():
        for port in given.get("ports") or ():
            address = f"{port.get('host_ip') or '0.0.0.0'}:{port.get('published')}"  # noqa: S104
            why = facts.taken.get(address)
            if why:
                name = _PORT_SETTINGS.get(service, "the port")
                yield fault(
                    "ports",
                    f"{service} wants {address}: {why}",
                    f"set {name} in .env to another; `ss -ltnp` shows who has it",
                )
    if facts.services and not facts.taken and not facts.remote:
        yield ok("ports", "all free, or ours already")


def disk(facts: Facts) -> Iterator[Finding]:
    if facts.disk is None or not facts.services:
        return
    images = {given.get("image", f"switchyard-{service}") for service, given in facts.services.items()}
    missing = {image for image in images if image not in facts.images}
    needed = _SPARE_DISK + sum(_image_size(image) for image in missing)
    for volume, loads in (("ollama", _ollama_downloads), ("huggingface", _vllm_downloads)):
        if volume not in facts.volumes:
            needed += loads(facts)
    words = f"{size(facts.disk)} free under {facts.engine.get('DockerRootDir')}; about {size(needed)} needed"
    todo = "make room (docker system df shows what takes it), or move Docker's data-root"
    if facts.disk < needed * _ESTIMATE:
        yield fault("disk", words, todo)
    elif facts.disk < needed:
        yield warning("disk", words, todo)
    else:
        yield ok("disk", words)


def _image_size(image: str) -> int:
    return next((taken for start, taken in _IMAGE_SIZES.items() if image.startswith(start)), _IMAGE)


def _ollama_downloads(facts: Facts) -> int:
    names = facts.setting("ollama-models", "MODELS").split()
    if facts.setting("ollama-models", "USE_VISION_ANALYSIS", "true") == "true":
        names.append(facts.setting("ollama-models", "VISION_MODEL"))
    return sum(model.weights for model in map(models.in_ollama, names) if model)


def _vllm_downloads(facts: Facts) -> int:
    names = [facts.setting("vllm-models", name) for name in ("VLLM_MODEL", "VLLM_EMBED_MODEL", "VLLM_RERANK_MODEL")]
    return sum(model.weights for model in map(models.in_vllm, names) if model)

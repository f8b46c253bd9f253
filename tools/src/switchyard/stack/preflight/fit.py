"""Whether the models fit: into vLLM's shares of a card, Ollama's card, main memory and the disk. Sizes are estimates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from switchyard.stack.preflight import models
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Result, fault, ok, warning
from switchyard.stack.preflight.models import GIB, KnownModel
from switchyard.stack.text import size

VLLM_MODELS = ("VLLM_MODEL", "VLLM_EMBED_MODEL", "VLLM_RERANK_MODEL")
_SHARES = {
    "VLLM_MODEL": "GPU_MEMORY_UTILIZATION",
    "VLLM_EMBED_MODEL": "EMBED_MEMORY_UTILIZATION",
    "VLLM_RERANK_MODEL": "RERANK_MEMORY_UTILIZATION",
}
_SHARES_BELOW = 0.9
_WORKSPACE, _SMALL_WORKSPACE = int(1.5 * GIB), GIB // 2
"""What vLLM takes besides weights and KV cache, for activations and CUDA graphs: for text, and for other roles."""
_OLLAMA_OVERHEAD = 1.2
_CARD_USABLE = 0.97
_SERVICES = 2 * GIB
"""Memory of the services and Chroma together, with a few documents."""
# Disk space of images, unpacked; ours are built from smaller ones.
_IMAGE_SIZES = {
    "vllm/": 24 * GIB,
    "switchyard-vllm-cpu": 8 * GIB,
    "switchyard-vllm": 24 * GIB,
    "ollama/": 5 * GIB,
    "switchyard-doc": 1 * GIB,
}
_IMAGE = GIB // 2
_SPARE_DISK = 5 * GIB
_ESTIMATE = 0.6
"""With less than this part of the estimated disk space the start can't work."""


def shares(facts: Facts) -> Iterator[Result]:
    """vLLM's shares are of the card's whole memory and must stay below 0.9, as the last server starts with the rest."""
    try:
        parts = _shares(facts)
    except ValueError as error:
        yield fault(f"a share of the card's memory is no number: {error}", "set it to a number below 1, such as 0.7")
        return
    total, words = sum(parts.values()), ", ".join(f"{name}={share:g}" for name, share in parts.items())
    if round(total, 3) >= _SHARES_BELOW or min(parts.values()) <= 0:
        todo = "keep the sum below 0.9: lower GPU_MEMORY_UTILIZATION first"
        yield fault(f"the shares add up to {total:g} ({words})", todo)
    else:
        yield ok(f"shares of the card: {words}")


def _shares(facts: Facts) -> dict[str, float]:
    return {
        share: float(facts.setting("vllm", share)) for model, share in _SHARES.items() if facts.setting("vllm", model)
    }


def vllm(facts: Facts) -> Iterator[Result]:
    """Weights, workspace and the KV cache of one request of full length must fit the share, or vLLM does not start."""
    card = facts.card("vllm")
    if card is None or card.total is None:
        return
    try:
        parts, length = _shares(facts), int(facts.setting("vllm", "VLLM_MAX_MODEL_LEN"))
    except ValueError:
        return  # reported by `shares`, or by the entrypoint
    for setting, share in _SHARES.items():
        name = facts.setting("vllm", setting)
        model = models.in_vllm(name) if name else None
        if model is not None and share in parts:
            yield _model(setting, share, parts[share] * card.total, model, length if setting == "VLLM_MODEL" else 0)
        elif name and setting == "VLLM_MODEL":
            yield warning(f"{name} is not a known model: whether it fits is unknown", "it needs 2 bytes a parameter")
    needed = sum(parts.values()) * card.total
    if card.free is not None and card.free < needed and "vllm" not in facts.running:
        yield fault(
            f"vLLM takes {size(needed)} of card {card.index}, and {size(card.free)} are free: it would refuse to start",
            "nvidia-smi shows which process uses it: end that, or lower the shares",
        )


def _model(setting: str, share: str, budget: float, model: KnownModel, length: int) -> Result:
    cache = model.kv_per_token * length
    needed = model.weights + cache + (_WORKSPACE if length else _SMALL_WORKSPACE)
    words = f"{setting} {model.name}: about {size(needed)} needed ({size(model.weights)} weights"
    words += f", {size(cache)} for {length} tokens)" if length else ")"
    if needed <= budget:
        return ok(f"{words} of {size(budget)}")
    todo = f"raise {share}, or choose a smaller model" + (", or lower VLLM_MAX_MODEL_LEN" if length else "")
    return fault(f"{words}, its share is {size(budget)}", todo)


def shares_card(facts: Facts) -> bool:
    """Return whether Ollama and vLLM are pinned to the same card."""
    card = facts.card("ollama")
    return card is not None and facts.card("vllm") == card


def ollama(facts: Facts) -> Iterator[Result]:
    """The models that Ollama loads must fit its card, beside vLLM's shares if that is the same card."""
    card, shared = facts.card("ollama"), shares_card(facts)
    if card is None or card.total is None:
        return
    needed, left = _ollama_memory(facts), card.total * _CARD_USABLE
    if shared:
        with suppress(ValueError):  # reported by `shares`
            left -= sum(_shares(facts).values()) * card.total
    words = (
        f"Ollama's models ({', '.join(facts.ollama_models('ollama'))}) need about {size(needed)}; "
        f"card {card.index} has {size(left)} for them"
    )
    if needed > left:
        todo = "choose smaller models" + (", or lower GPU_MEMORY_UTILIZATION" if shared else "")
        yield (fault if shared else warning)(words, todo + ": otherwise part of them runs on the CPU, slowly")
    elif needed:
        yield ok(words)


def _ollama_memory(facts: Facts) -> float:
    loaded = map(models.in_ollama, facts.ollama_models("ollama"))
    return _OLLAMA_OVERHEAD * sum(model.weights for model in loaded if model)


def main_memory(facts: Facts) -> Iterator[Result]:
    """Models that are not on a card, and the services, must fit the machine and each container its limit."""
    total = facts.memory.total if facts.memory else int(facts.engine.get("MemTotal") or 0)
    if not total:
        return
    available = facts.memory.available if facts.memory else total
    limits = sum(facts.limit(service, "memory") for service in facts.services if not service.endswith("-models"))
    loaded = _loaded(facts)
    needed = _SERVICES + sum(loaded.values())
    if needed > total:
        yield fault(
            f"the models and services need about {size(needed)} and the machine has {size(total)}",
            "choose smaller models (OLLAMA_MODEL=llama3.2:1b, USE_VISION_ANALYSIS=false), or use a card",
        )
    elif needed > available and not facts.running:
        words = f"about {size(needed)} are needed, {size(available)} of {size(total)} are free"
        yield warning(words, "end other programs")
    elif limits > total:
        words = f"the containers together may use {size(limits)}, more than the machine's {size(total)}"
        yield warning(words, "fine unless they do; otherwise lower OLLAMA_MEMORY or RAG_MEMORY in .env")
    else:
        yield ok(f"{size(available)} of {size(total)} free; about {size(needed)} needed, at most {size(limits)}")
    for service, weights in loaded.items():
        limit = facts.limit(service, "memory")
        if limit and weights > limit:
            words = f"{service}'s models need about {size(weights)} and its limit is {size(limit)}"
            yield fault(words, f"raise {service.upper()}_MEMORY in .env, or choose smaller models")


def _loaded(facts: Facts) -> dict[str, float]:
    """Return how much main memory models take, by the service that loads them: those that are not on a card."""
    loaded: dict[str, float] = {}
    if facts.vllm_on_cpu:
        names = [facts.setting("vllm", name) for name in VLLM_MODELS]
        known = [model for model in map(models.in_vllm, names) if model]
        # Each server whose model has a KV cache takes that much; the one for text always does.
        caches = max(1, sum(model.kv_per_token > 0 for model in known))
        cache = float(facts.setting("vllm", "VLLM_CPU_KVCACHE_SPACE")) * GIB
        loaded["vllm"] = sum(model.weights for model in known) + caches * cache
    if "ollama" in facts.services and not facts.devices("ollama"):
        loaded["ollama"] = _ollama_memory(facts)
    return loaded


def disk(facts: Facts) -> Iterator[Result]:
    """Images and models that are not there yet must fit the disk."""
    if facts.disk is None:
        return
    images = {service.get("image", f"switchyard-{name}") for name, service in facts.services.items()}
    needed = _SPARE_DISK + sum(_image_size(image) for image in images - facts.images)
    if "ollama" not in facts.volumes:
        needed += sum(model.weights for model in map(models.in_ollama, facts.ollama_models()) if model)
    if "huggingface" not in facts.volumes:
        names = [facts.setting("vllm-models", name) for name in VLLM_MODELS]
        needed += sum(model.weights for model in map(models.in_vllm, names) if model)
    words = f"{size(facts.disk)} free under {facts.engine.get('DockerRootDir')}; about {size(needed)} needed"
    todo = "free some space (docker system df shows what takes it), or move Docker's data-root"
    if facts.disk < needed * _ESTIMATE:
        yield fault(words, todo)
    elif facts.disk < needed:
        yield warning(words, todo)
    else:
        yield ok(words)


def _image_size(image: str) -> int:
    return next((bytes_ for prefix, bytes_ in _IMAGE_SIZES.items() if image.startswith(prefix)), _IMAGE)

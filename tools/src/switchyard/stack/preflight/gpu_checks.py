"""The cards: are they there, can containers have them, do the models fit."""

from __future__ import annotations

from collections.abc import Iterator

from switchyard.stack.preflight import models
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding, fault, ok, warning
from switchyard.stack.preflight.models import GIB, Model
from switchyard.stack.preflight.parsing import Gpu
from switchyard.stack.sizes import size

_OLLAMA_DRIVER, _VLLM_COMPUTE = (550,), (7, 5)
_SHARES_BELOW = 0.9
_WORKSPACE = int(1.5 * GIB)
"""What vLLM takes besides weights and KV cache, for activations and CUDA graphs."""
_SMALL_WORKSPACE = GIB // 2
_OLLAMA_SPARE = 1.2
_CARD_USABLE = 0.97
_ROLES = (
    ("VLLM_MODEL", "GPU_MEMORY_UTILIZATION", "0.70"),
    ("VLLM_EMBED_MODEL", "EMBED_MEMORY_UTILIZATION", "0.08"),
    ("VLLM_RERANK_MODEL", "RERANK_MEMORY_UTILIZATION", "0.08"),
)
_ID_SETTINGS = {"ollama": "OLLAMA_GPU", "vllm": "VLLM_GPU"}


def cards(facts: Facts) -> Iterator[Finding]:
    """Every pinned id must be a card of this machine."""
    if facts.remote or not facts.services:
        return
    for gpu in facts.gpus:
        told = f"{size(gpu.free)} of {size(gpu.total)} free" if gpu.total and gpu.free else "memory unknown"
        yield ok("gpu", f"{gpu.index}: {gpu.name}, {told}, driver {gpu.driver}")
    if not facts.pinned and not facts.gpus:
        yield ok("gpu", f"none ({facts.gpu_fault}): the models compute on the CPU")
    for service in facts.pinned:
        for name in facts.devices(service):
            if not any(name in (gpu.index, gpu.uuid) for gpu in facts.gpus):
                yield _no_card(facts, service, name)


def _no_card(facts: Facts, service: str, name: str) -> Finding:
    words = f"{service} is pinned to card {name}, which is not there"
    if not facts.gpus:
        return fault("gpu", f"{words}: {facts.gpu_fault}", "without a card: make up (Ollama), or make up-cpu (vLLM)")
    there = ", ".join(gpu.index for gpu in facts.gpus)
    setting = "GPU" if facts.stack == "single-gpu" else _ID_SETTINGS.get(service, "the id")
    todo = f"set {setting} in .env to one of {there}"
    if len(facts.gpus) == 1 and facts.stack == "vllm":
        todo = "with one card: make up-single-gpu"
    return fault("gpu", words, todo)


def runtime(facts: Facts) -> Iterator[Finding]:
    """Docker must know how to hand a card on."""
    if facts.gpus and not facts.toolkit:
        words = "Docker can't hand the cards on: the NVIDIA container toolkit is not there"
        todo = (
            "install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && "
            "sudo systemctl restart docker (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/)"
        )
        yield fault("gpu", words, todo) if facts.pinned else warning("gpu", f"{words}; Ollama will use the CPU", todo)


def drivers(facts: Facts) -> Iterator[Finding]:
    ollama, vllm = facts.card("ollama"), facts.card("vllm")
    if ollama and _version(ollama.driver) < _OLLAMA_DRIVER:
        yield fault(
            "gpu", f"Ollama needs driver 550, card {ollama.index} has {ollama.driver}", "update the NVIDIA driver"
        )
    if vllm and vllm.compute and vllm.compute < _VLLM_COMPUTE:
        shown = ".".join(map(str, vllm.compute))
        todo = "use another card, or make up (Ollama runs on older ones)"
        yield fault("gpu", f"vLLM needs compute capability 7.5, card {vllm.index} has {shown}", todo)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def visible_devices(facts: Facts) -> Iterator[Finding]:
    """Inside, the one pinned card is number 0: another number hides it, and Ollama computes on the CPU without a word."""
    name = "CUDA_VISIBLE_DEVICES"
    why = "a container sees only its own card, as number 0"
    for service in facts.pinned:
        if facts.setting(service, name):
            yield fault(
                "gpu",
                f"{service} is given {name} beside its pinned card; {why}",
                f"take {name} out of the compose file",
            )
    if facts.settings.get(name) and facts.services:
        yield warning(
            "gpu",
            f"{name} is set; it does not choose the cards here: {why}",
            "choose by OLLAMA_GPU and VLLM_GPU, and unset it",
        )


def shares(facts: Facts) -> Iterator[Finding]:
    """vLLM's shares are of the card's whole memory and must stay below 0.9, as the last one to start finds the rest."""
    if "vllm" not in facts.services or facts.vllm_on_cpu:
        return
    try:
        found = _shares(facts)
    except ValueError as error:
        yield fault(
            "vllm", f"a share of the card's memory is no number: {error}", "set it to a number below 1, such as 0.7"
        )
        return
    total = sum(found.values())
    words = ", ".join(f"{name}={share:g}" for name, share in found.items())
    if round(total, 3) >= _SHARES_BELOW or min(found.values()) <= 0:
        yield fault(
            "vllm",
            f"the shares add up to {total:g} ({words})",
            "keep the sum below 0.9: lower GPU_MEMORY_UTILIZATION first",
        )
    else:
        yield ok("vllm", f"shares of the card: {words}")


def _shares(facts: Facts) -> dict[str, float]:
    used = [row for row in _ROLES if facts.setting("vllm", row[0]) or row[0] != "VLLM_RERANK_MODEL"]
    return {share: float(facts.setting("vllm", share, default)) for _, share, default in used}


def vllm_fits(facts: Facts) -> Iterator[Finding]:
    """Weights, workspace and the KV cache of one request of full length must fit the share; vLLM won't start otherwise."""
    card = facts.card("vllm")
    if card is None or card.total is None or facts.vllm_on_cpu:
        return
    try:
        found = _shares(facts)
        length = int(facts.setting("vllm", "VLLM_MAX_MODEL_LEN", "16384"))
    except ValueError:
        return  # told by `shares`, or by the entrypoint
    for setting, share, _ in _ROLES:
        name = facts.setting("vllm", setting)
        model = models.in_vllm(name) if name else None
        if model is not None and share in found:
            yield _fits(setting, share, found[share], card.total, model, length if setting == "VLLM_MODEL" else 0)
        elif name and setting == "VLLM_MODEL":
            yield warning(
                "vllm", f"{name} is not a model we know: whether it fits can't be said", "mind: 2 bytes a parameter"
            )
    wanted = sum(found.values()) * card.total
    if card.free is not None and card.free < wanted and "vllm" not in facts.running:
        words = (
            f"vLLM takes {size(wanted)} of card {card.index}, and {size(card.free)} are free: it would refuse to start"
        )
        yield fault("vllm", words, "nvidia-smi shows who has it: end that, or lower the shares")


def _fits(setting: str, share: str, part: float, total: int, model: Model, length: int) -> Finding:
    budget, cache = part * total, model.kv_per_token * length
    needed = model.weights + cache + (_WORKSPACE if length else _SMALL_WORKSPACE)
    words = f"{setting} {model.name}: about {size(needed)} needed ({size(model.weights)} weights"
    words += f", {size(cache)} for {length} tokens)" if length else ")"
    if needed <= budget:
        return ok("vllm", f"{words} of {size(budget)}")
    todo = f"raise {share}, or choose a smaller model"
    return fault(
        "vllm", f"{words}, its share is {size(budget)}", f"{todo}, or lower VLLM_MAX_MODEL_LEN" if length else todo
    )


def ollama_fits(facts: Facts) -> Iterator[Finding]:
    """What Ollama loads must fit its card, beside vLLM's shares where that is the same one."""
    card = facts.card("ollama")
    if card is None or card.total is None:
        return
    names = [facts.setting("ollama", name) for name in ("CHAT_MODEL", "EMBED_MODEL")]
    needed = _OLLAMA_SPARE * sum(model.weights for model in map(models.in_ollama, names) if model)
    shared = facts.card("vllm") == card
    if shared and facts.stack == "vllm":
        yield fault("gpu", f"vLLM and Ollama are both pinned to card {card.index}", "with one card: make up-single-gpu")
        return
    left = card.total * _CARD_USABLE - (_vllm_part(facts, card) if shared else 0)
    words = f"Ollama's models ({', '.join(filter(None, names))}) need about {size(needed)}; card {card.index} has {size(left)} for them"
    if needed > left:
        todo = "choose smaller models" + (", or lower GPU_MEMORY_UTILIZATION" if shared else "")
        yield (fault if shared else warning)("ollama", words, todo + ": else part of them computes on the CPU, slowly")
    elif needed:
        yield ok("ollama", words)


def _vllm_part(facts: Facts, card: Gpu) -> float:
    try:
        return sum(_shares(facts).values()) * (card.total or 0)
    except ValueError:
        return 0

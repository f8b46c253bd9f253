"""The checks before a start: one table of what each is about, when it applies, and the check."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches

from switchyard.services import SERVICES
from switchyard.stack.preflight import fit, models
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding, Result, fault, ok, warning
from switchyard.stack.text import size

_COMPOSE = (2, 24)
# The overlays remove or replace lists (!reset, !override).
_COMPOSE_OVERLAYS = (2, 24, 4)
_OLLAMA_DRIVER, _VLLM_COMPUTE = (550,), (7, 5)
_GPU_SETTINGS = {"ollama": "OLLAMA_GPU", "vllm": "VLLM_GPU"}
_PORT_SETTINGS = {
    "gateway": "PORT",
    **{service.name: service.port_setting for service in SERVICES},
    "grafana": "GRAFANA_PORT",
    "prometheus": "PROMETHEUS_PORT",
}
_SECRETS = ("HF_TOKEN", "ADMIN_API_KEY", "VLLM_API_KEY", "DATABASE_URL", "NOTES_DATABASE_URL")
_PASSWORD = re.compile(r"://[^/@:]*:[^/@]+@")
_FOREIGN = re.compile(r"^(COMPOSE_|DOCKER_|BUILDKIT_|https?_proxy$|no_proxy$|HTTPS?_PROXY$|NO_PROXY$)")
_READABLE_BY_OTHERS = 0o004
_OPEN_MODELS = "Qwen/Qwen3-4B-Instruct-2507 or Qwen/Qwen2.5-7B-Instruct"
_START_COMMANDS = {"ollama": "make up", "vllm": "make up-vllm"}


def run(facts: Facts) -> list[Finding]:
    """Return what every check that applies finds."""
    return [
        Finding(level, subject, message, todo)
        for subject, applies, check in CHECKS
        if applies(facts)
        for level, message, todo in check(facts)
    ]


def _docker(facts: Facts) -> Iterator[Result]:
    yield fault(facts.docker_fault, "https://docs.docker.com/engine/install/")


def _engine(facts: Facts) -> Iterator[Result]:
    if facts.engine_fault:
        todo = "start it: sudo systemctl start docker"
        if "permission denied" in facts.engine_fault:
            todo = "let your user use it: sudo usermod -aG docker $USER, then log in again; or put sudo before make"
        yield fault(f"the engine does not answer: {facts.engine_fault.splitlines()[0]}", todo)
        return
    yield ok(f"Docker {facts.engine.get('ServerVersion', '?')} on {facts.engine.get('OperatingSystem', '?')}")
    if facts.remote:
        words = "the engine is on another machine: its cards, memory, disk and ports can't be checked from here"
        yield warning(words, "run make preflight on that machine")


def _compose(facts: Facts) -> Iterator[Result]:
    required = _COMPOSE_OVERLAYS if facts.stack in ("cpu", "single-gpu") else _COMPOSE
    version = ".".join(map(str, facts.compose))
    if not facts.compose:
        todo = "install the package docker-compose-plugin: https://docs.docker.com/compose/install/linux/"
        yield fault("docker has no Compose plug-in", todo)
    elif facts.compose < required:
        words = f"Compose {version} is too old: {'.'.join(map(str, required))} is needed"
        yield fault(words, "update the package docker-compose-plugin")
    else:
        yield ok(f"Compose {version}")


def _files(facts: Facts) -> Iterator[Result]:
    if facts.config_fault:
        yield fault(f"the compose files are not valid: {facts.config_fault}", "fix .env or the file it names")
    elif facts.services:
        yield ok(f"{len(facts.services)} services")


def _cards(facts: Facts) -> Iterator[Result]:
    """Every pinned id must be a card of this machine."""
    for gpu in facts.gpus:
        memory = f"{size(gpu.free)} of {size(gpu.total)} free" if gpu.total and gpu.free else "memory unknown"
        yield ok(f"{gpu.index}: {gpu.name}, {memory}, driver {gpu.driver}")
    if not facts.pinned and not facts.gpus:
        yield ok(f"none ({facts.gpu_fault}): the models run on the CPU")
    for service in facts.pinned:
        for name in facts.devices(service):
            if not any(name in (gpu.index, gpu.uuid) for gpu in facts.gpus):
                yield _no_card(facts, service, name)


def _no_card(facts: Facts, service: str, name: str) -> Result:
    words = f"{service} is pinned to card {name}, which is not there"
    if not facts.gpus:
        return fault(f"{words}: {facts.gpu_fault}", "without a card: make up (Ollama), or make up-cpu (vLLM)")
    if len(facts.gpus) == 1 and facts.stack == "vllm":
        return fault(words, "with one card: make up-single-gpu")
    setting = "GPU" if facts.stack == "single-gpu" else _GPU_SETTINGS.get(service, "the id")
    return fault(words, f"set {setting} in .env to one of {', '.join(gpu.index for gpu in facts.gpus)}")


def _toolkit(facts: Facts) -> Iterator[Result]:
    words = "Docker can't give containers a card: the NVIDIA container toolkit is not installed"
    todo = (
        "install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && "
        "sudo systemctl restart docker (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/)"
    )
    yield fault(words, todo) if facts.pinned else warning(f"{words}; Ollama will use the CPU", todo)


def _drivers(facts: Facts) -> Iterator[Result]:
    ollama, vllm = facts.card("ollama"), facts.card("vllm")
    if ollama and tuple(int(part) for part in ollama.driver.split(".") if part.isdigit()) < _OLLAMA_DRIVER:
        yield fault(f"Ollama needs driver 550, card {ollama.index} has {ollama.driver}", "update the NVIDIA driver")
    if vllm and vllm.compute and vllm.compute < _VLLM_COMPUTE:
        version = ".".join(map(str, vllm.compute))
        todo = "use another card, or make up (Ollama runs on older ones)"
        yield fault(f"vLLM needs compute capability 7.5, card {vllm.index} has {version}", todo)


def _visible_devices(facts: Facts) -> Iterator[Result]:
    """Inside, the one pinned card is number 0: another number hides it, and Ollama silently runs on the CPU."""
    name, why = "CUDA_VISIBLE_DEVICES", "a container sees only its own card, as number 0"
    for service in facts.pinned:
        if facts.setting(service, name):
            words = f"{service} is given {name} beside its pinned card; {why}"
            yield fault(words, f"take {name} out of the compose file")
    if facts.settings.get(name):
        words = f"{name} is set; it does not choose the cards here: {why}"
        yield warning(words, "choose by OLLAMA_GPU and VLLM_GPU, and unset it")


def _one_card(facts: Facts) -> Iterator[Result]:
    words = f"vLLM and Ollama are both pinned to card {', '.join(facts.devices('ollama'))}"
    yield fault(words, "with one card: make up-single-gpu")


def _cores(facts: Facts) -> Iterator[Result]:
    """Docker refuses to start a container whose limit is above the machine's cores."""
    cores = int(facts.engine.get("NCPU") or 0)
    if not cores:
        return
    limits = {service: facts.limit(service, "cpus") for service in facts.services}
    over = {service: limit for service, limit in limits.items() if limit > cores}
    for service, limit in over.items():
        setting = f"{service.upper().replace('-', '_')}_CPUS={cores}"
        yield fault(
            f"{service} may use {limit:g} cores and the machine has {cores}: Docker will not start it",
            f"give the machine more cores, or set {setting} if .env.example has it",
        )
    if not over:
        yield ok(f"{cores} cores")


def _ports(facts: Facts) -> Iterator[Result]:
    for name, service in facts.services.items():
        for port in service.get("ports") or ():
            address = f"{port.get('host_ip') or '0.0.0.0'}:{port.get('published')}"  # noqa: S104
            if why := facts.ports_in_use.get(address):
                todo = f"set {_PORT_SETTINGS.get(name, 'the port')} in .env to another; `ss -ltnp` shows who uses it"
                yield fault(f"{name} needs {address}: {why}", todo)
    if not facts.ports_in_use and not facts.remote:
        yield ok("all free, or in use by this stack")


def _secrets_in_dotenv(facts: Facts) -> Iterator[Result]:
    """All of `.env` is in every service's environment, where everybody who may inspect a container reads it."""
    for name in _SECRETS:
        value = facts.dotenv.get(name, "")
        if value and (not name.endswith("DATABASE_URL") or _PASSWORD.search(value)):
            file = name.lower().replace("_", "-")
            todo = f"write it into secrets/{file} (chmod 644), put {name}_FILE=./secrets/{file} into .env instead of it"
            yield fault(f"{name} is in .env: every container would see it", todo)


def _secret_files(facts: Facts) -> Iterator[Result]:
    for name, secret in facts.secrets.items():
        if secret.fault:
            yield fault(f"{name}: {secret.path}: {secret.fault}", f"fix {name}_FILE in .env, or create the file")
        elif not secret.mode & _READABLE_BY_OTHERS:
            words = f"{name}: {secret.path} can't be read by the containers' user (10001)"
            yield fault(words, f"chmod 644 {secret.path}, and protect it by the folder's permissions")
        elif secret.size:
            yield ok(f"{name}: {secret.path}")
        elif not secret.path.endswith("/none"):
            yield warning(f"{name}: {secret.path} is empty", f"write it, or take {name}_FILE out of .env")


def _unreadable_files(facts: Facts) -> Iterator[Result]:
    """In a checkout made under a narrow umask: containers run as users of their own, without root's rights."""
    more = f", and {len(facts.unreadable) - 1} more" if len(facts.unreadable) > 1 else ""
    words = f"{facts.unreadable[0]} can't be read by the containers{more}"
    yield fault(words, "chmod -R go+rX deploy secrets, and protect them by the permissions of the folder above")


def _tracked(facts: Facts) -> Iterator[Result]:
    yield fault(".env is in git", "git rm --cached .env")


def _unknown_settings(facts: Facts) -> Iterator[Result]:
    """A setting that nothing reads is usually a typing error."""
    known = {*facts.known_names, *_SECRETS, *(f"{name}_FILE" for name in _SECRETS)}
    for name in facts.dotenv:
        if name not in known and not _FOREIGN.match(name):
            near = get_close_matches(name, known, n=1)
            todo = f"did you mean {near[0]}?" if near else "the settings are listed in .env.example"
            yield warning(f"{name} in .env is not a setting", todo)


def _licences(facts: Facts) -> Iterator[Result]:
    """The terms of the models, and whether a gated one can be fetched."""
    token = facts.secrets.get("HF_TOKEN")
    for setting in fit.VLLM_MODELS:
        name = facts.setting("vllm", setting)
        model = models.in_vllm(name) if name else None
        if name and models.gated(name) and not (token and token.size) and "huggingface" not in facts.volumes:
            hub_name = model.name if model else name
            yield fault(
                f"{setting} {hub_name} is gated: it needs a token of an account that accepted its licence",
                f"accept it at https://huggingface.co/{hub_name} and set HF_TOKEN_FILE (secrets/README.md), "
                f"or use {_OPEN_MODELS}",
            )
        if model:
            yield from _terms(setting, name, model.terms)
    for name in facts.ollama_models():
        if known := models.in_ollama(name):
            yield from _terms("Ollama", name, known.terms)


def _terms(setting: str, name: str, terms: str) -> Iterator[Result]:
    if terms in models.NON_COMMERCIAL:
        yield warning(f"{setting} {name}: {models.TERMS[terms]}", "choose another size, or ask for a licence")
    elif terms in models.TERMS:
        yield ok(f"{setting} {name}: {models.TERMS[terms]}")


def _policy(facts: Facts) -> Iterator[Result]:
    """The policy outlives the stack: every backend that it names must be in the stack that is to start."""
    for role, policy in sorted((facts.policy.get("roles") or {}).items()):
        places = {
            "stable": [policy.get("stable")],
            "candidate": [policy.get("candidate")],
            "fallbacks": policy.get("fallbacks") or [],
        }
        missing = {
            place: backend
            for place, backends in places.items()
            for backend in backends
            if backend in _START_COMMANDS and backend not in facts.services
        }
        for backend in sorted(set(missing.values())):
            steps = list(_steps(role, missing, next(other for other in _START_COMMANDS if other != backend)))
            if "rag-service" not in facts.running:
                steps.insert(0, _START_COMMANDS[backend])
            yield fault(
                f"the policy names {backend} for {role}, which this stack does not have: the services would not start",
                f"{'; '.join(steps)}; then start this stack",
            )


def _steps(role: str, missing: Collection[str], other: str) -> Iterator[str]:
    """Yield the commands that take a backend out of the policy of `role`, on a stack that has both."""
    if "candidate" in missing:
        yield f'make switchyard DO="providers rollback --role {role}"'
    if "stable" in missing:
        yield f"make use-{other}" if role == "text" else f'make switchyard DO="providers use {other} --role {role}"'
    if "stable" in missing or "fallbacks" in missing:  # the replaced one becomes a fallback
        yield f'make switchyard DO="providers chain --role {role} --no-fallbacks"'
    if "stable" in missing and role == "embeddings":
        yield f'make switchyard DO="reindex --provider {other}"'


def _has_docker(facts: Facts) -> bool:
    return not facts.docker_fault


def _has_plan(facts: Facts) -> bool:
    return bool(facts.services)


def _has_vllm_on_gpu(facts: Facts) -> bool:
    return "vllm" in facts.services and not facts.vllm_on_cpu


def _conflict(facts: Facts) -> bool:
    return facts.stack == "vllm" and fit.shares_card(facts)


CHECKS: Sequence[tuple[str, Callable[[Facts], object], Callable[[Facts], Iterator[Result]]]] = (
    ("docker", lambda facts: facts.docker_fault, _docker),
    ("engine", _has_docker, _engine),
    ("compose", _has_docker, _compose),
    ("files", _has_docker, _files),
    ("gpu", lambda facts: facts.services and not facts.remote, _cards),
    ("gpu", lambda facts: facts.gpus and not facts.toolkit, _toolkit),
    ("gpu", _has_plan, _drivers),
    ("gpu", _has_plan, _visible_devices),
    ("gpu", _conflict, _one_card),
    ("vllm", _has_vllm_on_gpu, fit.shares),
    ("vllm", _has_vllm_on_gpu, fit.vllm),
    ("ollama", lambda facts: not _conflict(facts), fit.ollama),
    ("cores", _has_plan, _cores),
    ("memory", _has_plan, fit.main_memory),
    ("ports", _has_plan, _ports),
    ("disk", _has_plan, fit.disk),
    ("secrets", lambda facts: facts.dotenv, _secrets_in_dotenv),
    ("secrets", _has_plan, _secret_files),
    ("files", lambda facts: facts.unreadable, _unreadable_files),
    ("env", lambda facts: facts.dotenv_tracked, _tracked),
    ("env", lambda facts: facts.known_names, _unknown_settings),
    ("licence", _has_plan, _licences),
    ("policy", _has_plan, _policy),
)

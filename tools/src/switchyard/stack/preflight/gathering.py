"""Gathers the facts from the machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from switchyard.stack import settings
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.helper import volumes_of
from switchyard.stack.preflight import parsing
from switchyard.stack.preflight.facts import Facts, Secret, closed, readable
from switchyard.stack.preflight.parsing import Gpu, Memory
from switchyard.stack.stacks import Project, of_stack

_TOOLKIT = ("nvidia-container-runtime", "nvidia-container-runtime-hook", "nvidia-container-cli", "nvidia-ctk")
T = TypeVar("T")


def gather(root: Path, environment: Mapping[str, str], stack: str) -> tuple[Project, Facts]:
    """Return the project that `stack` would be, and what is known about it and this machine."""
    cards, gpu_fault = gpus(environment)
    toolkit = any(shutil.which(name, path=environment.get("PATH")) for name in _TOOLKIT)
    probe = of_stack(root, environment, stack, gpu=False)
    engine, engine_fault, docker_fault = _engine(probe)
    remote = _remote(probe.settings, engine)
    toolkit = toolkit or "nvidia" in (engine.get("Runtimes") or {})
    project = of_stack(root, environment, stack, gpu=bool(cards) and toolkit and not remote)
    config, config_fault = _config(project)
    found: Sequence[Container] = _quietly(project.containers, []) if engine else []
    volumes: dict[str, str] = _quietly(lambda: volumes_of(project), {}) if engine else {}
    dotenv = settings.read(root, {})
    return project, Facts(
        stack=stack,
        engine=engine,
        engine_fault=engine_fault,
        docker_fault=docker_fault,
        remote=remote,
        compose=parsing.version(_quietly(lambda: project.docker.out("compose", "version", "--short"), "")),
        config=config,
        config_fault=config_fault,
        gpus=() if remote else cards,
        gpu_fault=gpu_fault,
        toolkit=toolkit,
        memory=None if remote else memory(Path("/proc/meminfo")),
        disk=None if remote else free_disk(str(engine.get("DockerRootDir", ""))),
        taken={}
        if remote
        else taken(config, {outside for one in found if one.running for outside in one.ports.values()}),
        running=frozenset(one.service for one in found if one.running),
        volumes=frozenset(volumes),
        images=_images(project) if engine else frozenset(),
        settings=project.settings,
        dotenv=dotenv,
        known_names=_known_names(root),
        dotenv_tracked=tracked(root),
        secrets=_secrets(config),
        closed=() if remote else _closed(config),
        policy=_policy(project, found, volumes.get("policy")),
    )


def gpus(environment: Mapping[str, str]) -> tuple[tuple[Gpu, ...], str]:
    """The machine's NVIDIA cards, or why there is none to be seen."""
    command = ["nvidia-smi", f"--query-gpu={parsing.GPU_QUERY}", "--format=csv,noheader,nounits"]
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        return (), "nvidia-smi is not installed"
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), str(error)
    found = parsing.gpus(done.stdout)
    return found, "" if found else (done.stderr or done.stdout).strip() or "nvidia-smi shows no card"


def memory(path: Path) -> Memory | None:
    return parsing.memory(path.read_text()) if path.is_file() else None


def free_disk(folder: str) -> int | None:
    return shutil.disk_usage(folder).free if folder and os.path.isdir(folder) else None


def taken(config: Mapping[str, Any], own: set[str]) -> dict[str, str]:
    """The addresses that `config` publishes and that cannot be bound, but for our `own`; with the reason."""
    found: dict[str, str] = {}
    for service in (config.get("services") or {}).values():
        for port in service.get("ports") or ():
            host, number = port.get("host_ip") or "0.0.0.0", str(port.get("published") or "")  # noqa: S104
            why = "" if f"{host}:{number}" in own or not number.isdigit() else _bind(host, int(number))
            if why:
                found[f"{host}:{number}"] = why
    return found


def _bind(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what is merely winding down is free
        try:
            trial.bind((host, port))
        except PermissionError:  # the engine may bind what we may not
            return ""
        except OSError as error:
            return error.strerror or str(error)
    return ""


def tracked(root: Path) -> bool:
    """Whether git keeps `.env`."""
    try:
        command = ["git", "ls-files", "--error-unmatch", ".env"]
        return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _engine(project: Project) -> tuple[dict[str, Any], str, str]:
    """`docker info`, or why the engine did not answer, or why there is no `docker` to ask it."""
    try:
        engine: dict[str, Any] = json.loads(project.docker.out("info", "--format", "json", seconds=30))
    except DockerFailed as error:
        return {}, str(error), ""
    except Stopped as error:
        return {}, "", str(error)
    except ValueError:
        return {}, "docker info is not JSON: the docker command is too old", ""
    faults = engine.get("ServerErrors") or []
    return ({}, "; ".join(faults), "") if faults else (engine, "", "")


def _remote(known: Mapping[str, str], engine: Mapping[str, Any]) -> bool:
    """Whether containers run on another machine, or in one of its own as with Docker Desktop."""
    host = known.get("DOCKER_HOST", "")
    return (bool(host) and not host.startswith("unix://")) or "Desktop" in str(engine.get("OperatingSystem", ""))


def _config(project: Project) -> tuple[dict[str, Any], str]:
    try:
        config: dict[str, Any] = json.loads(project.docker.out(*project.compose("config", "--format", "json")))
    except (Stopped, ValueError) as error:
        return {}, str(error)
    return config, ""


def _images(project: Project) -> frozenset[str]:
    listed = _quietly(lambda: project.docker.out("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"), "")
    return frozenset(listed.split())


def _known_names(root: Path) -> frozenset[str]:
    path = root / ".env.example"
    return parsing.setting_names(path.read_text(encoding="utf-8")) if path.is_file() else frozenset()


def _secrets(config: Mapping[str, Any]) -> dict[str, Secret]:
    files = {name: given.get("file") for name, given in (config.get("secrets") or {}).items()}
    return {name: readable(Path(path)) for name, path in files.items() if path}


def _closed(config: Mapping[str, Any]) -> tuple[str, ...]:
    mounted = [mount for service in (config.get("services") or {}).values() for mount in service.get("volumes") or ()]
    sources = {mount["source"] for mount in mounted if mount.get("type") == "bind"}
    return tuple(found for source in sorted(sources) for found in closed(Path(source)))


def _policy(project: Project, found: Sequence[Container], volume: str | None) -> dict[str, Any]:
    """The policy in effect: of the running service, or of the volume where an image is there to look with."""
    service = find(found, "rag-service")
    if service is None or volume is None:
        return {}
    module = ("-m", "service_kit.peers")
    look = ("run", "--rm", "--network", "none", "--read-only", "--user", "10001:10001", "--entrypoint", "python")
    mount = ("-v", f"{volume}:/data/policy:ro,nocopy")
    ways = [("exec", service.id, "python", *module)] if service.running else []
    # Also for a service that restarts again and again, over this very policy perhaps.
    for args in (*ways, (*look, *mount, service.image, *module)):
        try:
            document: dict[str, Any] = json.loads(json.loads(project.docker.out(*args))["policy"].get("body", "{}"))
        except (DockerFailed, ValueError):
            continue
        return document
    return {}


def _quietly(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except Stopped:
        return otherwise

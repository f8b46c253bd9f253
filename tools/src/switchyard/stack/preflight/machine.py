"""What this machine has: NVIDIA cards, memory, disk, free ports."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GPU_QUERY = "index,uuid,name,memory.total,memory.free,driver_version,compute_cap"
_TOOLKIT = ("nvidia-container-runtime", "nvidia-container-runtime-hook", "nvidia-container-cli", "nvidia-ctk")
_MIB = 1 << 20


@dataclass(frozen=True)
class Gpu:
    """A card as `nvidia-smi` describes it; bytes, and None for what it does not say (unified memory)."""

    index: str
    uuid: str
    name: str
    total: int | None
    free: int | None
    driver: str
    compute: tuple[int, ...]


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes."""

    total: int
    available: int


def gpus(environment: Mapping[str, str]) -> tuple[tuple[Gpu, ...], str]:
    """Return the machine's cards, or why there are none."""
    command = ["nvidia-smi", f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"]
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        return (), "nvidia-smi is not installed"
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), str(error)
    cards = parse_gpus(done.stdout)
    return cards, "" if cards else (done.stderr or done.stdout).strip() or "nvidia-smi shows no card"


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Read `nvidia-smi --query-gpu=GPU_QUERY --format=csv,noheader,nounits`; other lines are ignored."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    return tuple(
        Gpu(row[0], row[1], row[2], _mebibytes(row[3]), _mebibytes(row[4]), row[5], version(row[6]))
        for row in rows
        if len(row) == len(GPU_QUERY.split(",")) and row[0].isdigit()
    )


def _mebibytes(text: str) -> int | None:
    return int(text) * _MIB if text.isdigit() else None


def version(text: str) -> tuple[int, ...]:
    """Return the first version number in `text`; empty if there is none."""
    matched = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, matched.group().split("."))) if matched else ()


def has_toolkit(environment: Mapping[str, str]) -> bool:
    """Return whether the NVIDIA container toolkit is installed."""
    return any(shutil.which(name, path=environment.get("PATH")) for name in _TOOLKIT)


def memory() -> Memory | None:
    path = Path("/proc/meminfo")
    return parse_memory(path.read_text()) if path.is_file() else None


def parse_memory(text: str) -> Memory | None:
    """Read `/proc/meminfo`; None if it is something else."""
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    if not {"MemTotal", "MemAvailable"} <= set(kilobytes):
        return None
    return Memory(int(kilobytes["MemTotal"]) * 1024, int(kilobytes["MemAvailable"]) * 1024)


def free_disk(folder: str) -> int | None:
    return shutil.disk_usage(folder).free if folder and os.path.isdir(folder) else None


def ports_in_use(config: Mapping[str, Any], own: set[str]) -> dict[str, str]:
    """Return the published addresses of `config` that can't be bound, with the reason; `own` are of our containers."""
    in_use: dict[str, str] = {}
    for service in (config.get("services") or {}).values():
        for port in service.get("ports") or ():
            host, number = port.get("host_ip") or "0.0.0.0", str(port.get("published") or "")  # noqa: S104
            error = "" if f"{host}:{number}" in own or not number.isdigit() else _bind(host, int(number))
            if error:
                in_use[f"{host}:{number}"] = error
    return in_use


def _bind(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            listener.bind((host, port))
        except PermissionError:  # the engine may bind it, unlike this user
            return ""
        except OSError as error:
            return error.strerror or str(error)
    return ""


def unreadable(path: Path) -> list[str]:
    """Return `path`, or the files in it, that only their owner may read."""
    try:
        closed = not path.stat().st_mode & (0o005 if path.is_dir() else 0o004)
        children = sorted(path.iterdir()) if path.is_dir() else []
    except OSError:
        return [str(path)]
    return [str(path)] if closed else [file for child in children for file in unreadable(child)]


def is_tracked(root: Path) -> bool:
    """Return whether git tracks `.env`."""
    try:
        command = ["git", "ls-files", "--error-unmatch", ".env"]
        return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

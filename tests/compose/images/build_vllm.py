"""Builds the stand-in for the official vLLM image, where it is not there yet: about three minutes and 2.6 GB."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from engines.real_vllm import MAKE_MODEL, MAKE_SMOLLM, TORCH

CONTEXT = Path(__file__).with_name("vllm")
BASE = "python:3.11-slim-bookworm"
LABEL = "switchyard.inputs"


def build(tag: str) -> None:
    """Leave an image of this tag, made of what lies here now; raises RuntimeError with the end of the build's log."""
    digest = _digest()
    if _label(tag) == digest:
        return
    _run(
        *("docker", "build", "--progress", "plain", "--tag", tag, "--label", f"{LABEL}={digest}"),
        *("--build-context", f"wheels={_wheels()}", "--build-context", f"model={MAKE_MODEL.parent}", str(CONTEXT)),
    )


def _digest() -> str:
    """Of all that goes into the image, the one it is built from included."""
    inputs = hashlib.sha256(_inspect(BASE, "{{.Id}}").encode() + TORCH.encode())
    for file in (*sorted(CONTEXT.iterdir()), MAKE_MODEL, MAKE_SMOLLM):
        inputs.update(file.read_bytes())
    return inputs.hexdigest()[:16]


def _label(tag: str) -> str:
    return _inspect(tag, f'{{{{index .Config.Labels "{LABEL}"}}}}')


def _inspect(image: str, form: str) -> str:
    """What the engine says of an image; empty where it has none."""
    asked = subprocess.run(["docker", "image", "inspect", "-f", form, image], capture_output=True, text=True)
    return asked.stdout.strip()


def _wheels() -> Path:
    """A folder, outside the repository, with torch's wheel in it: a container can't reach where it comes from."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "switchyard" / f"torch-{TORCH}"
    if not list(folder.glob("torch-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--no-deps", "--dest", str(folder), f"torch=={TORCH}")
    [wheel] = folder.glob("torch-*.whl")
    # The other one is built for GPUs, and wants gigabytes of libraries beside it.
    if "+cpu" not in wheel.name:
        wheel.unlink()
        raise RuntimeError(f"pip found {wheel.name}, and not torch's build for CPU")
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-3000:]}")


if __name__ == "__main__":
    build(sys.argv[1])

"""Models in the Hugging Face cache, and their download; uses the client library of vLLM's image."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterable
from fnmatch import fnmatch
from pathlib import Path

# Weights in formats of other programs.
IGNORED = [
    "original/*",
    "onnx/*",
    "openvino/*",
    "coreml/*",
    "metal/*",
    "*.pth",
    "*.gguf",
    "*.onnx",
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.tflite",
    "*.mlmodel",
    "rust_model*",
    "*training_args.bin",
    "*optimizer*",
]
WEIGHTS = ["*.safetensors", "*.bin", "*.pt"]


class NoModel(Exception):
    """The model could not be fetched; the reason was printed."""


class Gated(Exception):
    """The Hub gives the model only to accounts that accepted its licence."""


def hub_cache() -> Path:
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def say(text: str) -> None:
    print(f"[download] {text}", flush=True)


def matches(file: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(file, pattern) for pattern in patterns)


def unread(files: Collection[str]) -> list[str]:
    """Return patterns of what vLLM ignores when it finds these files: it reads one format of several."""
    also = []
    if matches_any(files, "consolidated*.safetensors"):
        also = ["model*.safetensors", "model.safetensors.index.json", "*.bin"]
    elif matches_any(files, "*.safetensors"):
        also = ["*.bin"]
    return IGNORED + also


def matches_any(files: Iterable[str], pattern: str) -> bool:
    return any(fnmatch(file, pattern) and "/" not in file for file in files)


class Repository:
    """One model, in the cache and on the Hub."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = hub_cache() / ("models--" + name.replace("/", "--"))
        # Exists during a download: without it, one that was cut off looks like a model.
        self.unfinished = self.folder / ".unfinished"

    def complete(self) -> bool:
        try:
            snapshot = self.folder / "snapshots" / (self.folder / "refs" / "main").read_text().strip()
        except OSError:
            return False
        if self.unfinished.exists():
            return False
        files = {str(file.relative_to(snapshot)) for file in snapshot.rglob("*") if file.is_file()}
        listed = self._listed(snapshot.name)
        if listed is not None:
            return not [file for file in listed - files if not matches(file, unread(listed))]
        configured = files & {"config.json", "params.json"}
        return bool(configured and any(matches(file, WEIGHTS) for file in files)) and self._shards(snapshot) <= files

    def _listed(self, commit: str) -> set[str] | None:
        """Return all files of the repository, if the Hub's client recorded them."""
        try:
            return set(json.loads((self.folder / "trees" / f"{commit}.json").read_text())["files"])
        except (OSError, ValueError, KeyError):
            return None

    def _shards(self, snapshot: Path) -> set[str]:
        indexes = [snapshot / "model.safetensors.index.json", snapshot / "pytorch_model.bin.index.json"]
        present = [index for index in indexes if index.exists()]
        return set(json.loads(present[0].read_text())["weight_map"].values()) if present else set()

    def fetch(self) -> None:
        from huggingface_hub import HfApi, snapshot_download

        info = HfApi().model_info(self.name, files_metadata=True)
        if info.gated and not os.environ.get("HF_TOKEN"):
            raise Gated
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        ignored = unread(sizes)
        total = sum(size for file, size in sizes.items() if not matches(file, ignored))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_space(total)
        self.unfinished.touch()
        ended = threading.Event()
        reporter = threading.Thread(target=self._report, args=(total, ended), daemon=True)
        reporter.start()
        begun, before = time.monotonic(), self._on_disk()
        try:
            snapshot_download(self.name, ignore_patterns=ignored)
        finally:
            ended.set()
            reporter.join()
        self.unfinished.unlink()
        seconds = time.monotonic() - begun
        fetched = max(0, self._on_disk() - before)
        say(f"{self.name}: complete, {gigabytes(total)}; {gigabytes(fetched)} fetched in {seconds:.0f} s")

    def _on_disk(self) -> int:
        """Return bytes, counted by blocks: a file that is being fetched may have its final length already, with holes."""
        total = 0
        for blob in (self.folder / "blobs").glob("*"):
            try:
                status = blob.stat()
            except OSError:
                continue
            total += min(status.st_size, status.st_blocks * 512)
        return total

    def _check_space(self, total: int) -> None:
        missing = total - self._on_disk()
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            say(f"ERROR: {self.name} needs {gigabytes(missing)} more, and the volume has {gigabytes(free)} free.")
            raise NoModel

    def _report(self, total: int, ended: threading.Event) -> None:
        interval = float(os.environ.get("DOWNLOAD_REPORT_SECONDS", "10"))
        before = self._on_disk()
        say(f"{self.name}: {gigabytes(total)} in all, {gigabytes(before)} there already")
        while not ended.wait(interval):
            now = self._on_disk()
            share = min(100, 100 * now // total) if total else 100
            say(
                f"{self.name}: {share} %, {gigabytes(now)} of {gigabytes(total)}, {(now - before) / interval / 1e6:.1f} MB/s"
            )
            before = now


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.2f} MB"


def fetch(name: str) -> None:
    """Fetch a model, with retries that continue an interrupted download; raises `NoModel` or `Gated`."""
    repository = Repository(name)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        say(f"ERROR: {repository.name} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it.")
        raise NoModel

    from huggingface_hub import errors

    attempts, pause = (
        int(os.environ.get("DOWNLOAD_ATTEMPTS", "6")),
        float(os.environ.get("DOWNLOAD_PAUSE_SECONDS", "5")),
    )
    for attempt in range(1, attempts + 1):
        try:
            return repository.fetch()
        except (Gated, NoModel):
            raise
        except errors.GatedRepoError as error:
            raise Gated from error
        except errors.RepositoryNotFoundError as error:
            say(f"ERROR: the Hub has no {repository.name}, or hides it from this HF_TOKEN. Is the name right?")
            raise NoModel from error
        except Exception as error:  # each of the libraries below has its own exceptions for a failing network
            why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        if attempt < attempts:
            say(f"{repository.name}: attempt {attempt} of {attempts} failed ({why}); again in {pause:.0f} s")
            time.sleep(pause)
            pause = min(pause * 2, 60)
    say(
        f"ERROR: {repository.name} could not be fetched from {where} ({why}). Can this container reach it, "
        "by DNS, proxy and firewall? What was fetched is kept: start it again to continue."
    )
    raise NoModel

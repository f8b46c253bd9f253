"""Models come from a Hub of our own by the Hub's real client: what is fetched, what is skipped, and what goes wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Entrypoint, eventually, put_into_cache
from .hub import COMMIT, READ, TEXT_FILES, Hub

NO_MODEL, GATED = 69, 77
TEXT, EMBEDDER = "acme/text", "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub({TEXT: TEXT_FILES, EMBEDDER: {"config.json": b"{}", "pytorch_model.bin": b"w"}}).serving() as hub:
        yield hub


def settings(hub: Hub, **more: str) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "VLLM_MODEL": TEXT,
        "VLLM_EMBED_MODEL": "all-minilm",
        "DOWNLOAD_PAUSE_SECONDS": "0.05",
        "DOWNLOAD_ATTEMPTS": "3",
        **more,
    }


def snapshot(folder: Path, model: str) -> dict[str, bytes]:
    """A model in the cache, as vLLM would find it."""
    found = folder / ".cache/huggingface/hub" / f"models--{model.replace('/', '--')}" / "snapshots" / COMMIT
    return {str(file.relative_to(found)): file.read_bytes() for file in found.rglob("*") if file.is_file()}


def test_every_model_is_fetched_but_not_what_vllm_leaves_alone(entrypoint: Entrypoint, hub: Hub) -> None:
    ended = entrypoint.run("download", **settings(hub))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert snapshot(entrypoint.folder, TEXT) == {name: TEXT_FILES[name] for name in READ}
    # Where there are no safetensors, the older format is what vLLM reads.
    assert set(snapshot(entrypoint.folder, EMBEDDER)) == {"config.json", "pytorch_model.bin"}
    assert "acme/text: 0.30 MB in all, 0.00 MB there already" in ended.stdout
    assert "acme/text: complete, 0.30 MB" in ended.stdout
    assert "all models are there" in ended.stdout
    assert "\r" not in ended.stdout + ended.stderr


def test_what_is_there_needs_no_network(entrypoint: Entrypoint, hub: Hub) -> None:
    assert entrypoint.run("download", **settings(hub)).returncode == 0
    asked = len(hub.requests)
    again = entrypoint.run("download", **settings(hub, HF_HUB_OFFLINE="1"))
    assert again.returncode == 0, again.stderr
    assert "acme/text is in the cache" in again.stdout
    assert len(hub.requests) == asked


def test_folders_are_skipped(entrypoint: Entrypoint, hub: Hub) -> None:
    ended = entrypoint.run("download", **settings(hub, VLLM_MODEL=str(entrypoint.folder / "model")))
    assert ended.returncode == 0
    assert "nothing to fetch" in ended.stdout
    assert all(EMBEDDER in path for _, path, _ in hub.requests)


def test_a_download_that_is_cut_goes_on_where_it_stopped(entrypoint: Entrypoint, hub: Hub) -> None:
    # The client keeps whole chunks, of 10 MB.
    weights = bytes(range(256)) * 48_000
    hub.models[TEXT] = {"config.json": b"{}", "model.safetensors": weights}
    hub.cut_after = 11_000_000
    ended = entrypoint.run("download", **settings(hub))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert hub.cut_after is None
    assert snapshot(entrypoint.folder, TEXT)["model.safetensors"] == weights
    ranges = [asked for _, path, asked in hub.requests if path.endswith("model.safetensors") and asked]
    assert any(int(asked.removeprefix("bytes=").split("-")[0]) > 0 for asked in ranges)


def test_a_network_that_comes_back_is_waited_for(entrypoint: Entrypoint, hub: Hub) -> None:
    hub.fail_first = 1
    ended = entrypoint.run("download", **settings(hub))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "attempt 1 of 3 failed" in ended.stdout


def test_no_network_is_said_in_clear(entrypoint: Entrypoint, hub: Hub) -> None:
    ended = entrypoint.run("download", **settings(hub, HF_ENDPOINT="http://127.0.0.1:9"))
    assert ended.returncode == NO_MODEL
    assert "attempt 2 of 3 failed" in ended.stdout
    assert "acme/text could not be fetched from http://127.0.0.1:9" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_model_that_the_hub_does_not_have(entrypoint: Entrypoint, hub: Hub) -> None:
    ended = entrypoint.run("download", **settings(hub, VLLM_MODEL="acme/typo"))
    assert ended.returncode == NO_MODEL
    assert "the Hub has no acme/typo" in ended.stdout
    assert "attempt" not in ended.stdout


@pytest.mark.parametrize("token", ["", "bad"])
def test_a_gate_that_only_the_hub_knows_of(entrypoint: Entrypoint, hub: Hub, token: str) -> None:
    hub.gated.add(TEXT)
    ended = entrypoint.run("download", **settings(hub, HF_TOKEN=token))
    assert ended.returncode == GATED, ended.stdout + ended.stderr
    assert "acme/text is gated" in ended.stderr
    assert "Qwen/Qwen3-4B-Instruct-2507" in ended.stderr


def test_a_token_opens_the_gate_and_is_not_shown(entrypoint: Entrypoint, hub: Hub) -> None:
    hub.gated.add(TEXT)
    (entrypoint.secrets / "HF_TOKEN").write_text("good\n")
    ended = entrypoint.run("download", **settings(hub))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "good" not in ended.stdout + ended.stderr


def test_a_model_of_which_a_file_is_missing_is_not_taken_for_complete(entrypoint: Entrypoint, hub: Hub) -> None:
    assert entrypoint.run("download", **settings(hub)).returncode == 0
    repository = entrypoint.folder / ".cache/huggingface/hub/models--acme--text"
    (repository / "snapshots" / COMMIT / "tokenizer.json").unlink()
    ended = entrypoint.run("download", **settings(hub))
    assert ended.returncode == 0
    assert "fetching acme/text" in ended.stdout
    assert set(snapshot(entrypoint.folder, TEXT)) == READ


@pytest.mark.parametrize(
    ("files", "unfinished"),
    [(("config.json",), False), (("model.safetensors",), False), (("config.json", "model.safetensors"), True)],
)
def test_what_an_older_client_left_half_is_not_taken_for_complete(
    entrypoint: Entrypoint, hub: Hub, files: tuple[str, ...], unfinished: bool
) -> None:
    repository = put_into_cache(entrypoint.folder, TEXT, files)
    if unfinished:
        (repository / ".unfinished").touch()
    ended = entrypoint.run("download", **settings(hub, HF_HUB_OFFLINE="1"))
    assert ended.returncode == NO_MODEL
    assert "acme/text is not in the cache" in ended.stdout


def test_a_download_stops_when_asked_to(entrypoint: Entrypoint, hub: Hub) -> None:
    process = entrypoint.start(
        "download", **settings(hub, HF_ENDPOINT="http://127.0.0.1:9", DOWNLOAD_PAUSE_SECONDS="60")
    )
    eventually(lambda: "attempt 1 of 3" in entrypoint.output)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
    assert "what was fetched is kept" in entrypoint.output

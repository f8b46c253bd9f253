"""Servers that start one after the other, with what they need and nothing that they must not have."""

from __future__ import annotations

import json
from functools import partial

from .conftest import Entrypoint, eventually


def test_each_server_starts_only_after_the_one_before_is_healthy(entrypoint: Entrypoint) -> None:
    held = {role: entrypoint.tell(role, "hold") for role in ("text", "embeddings")}
    process = entrypoint.start(VLLM_RERANK_MODEL=str(entrypoint.folder / "model"))
    for role, after in (("text", "embeddings"), ("embeddings", "rerank")):
        eventually(partial(entrypoint.was_checked, role, times=2))
        assert not entrypoint.events("started", after)
        held[role].unlink()
        eventually(partial(entrypoint.events, "started", after))
        answers = [event for event in entrypoint.events("health", role) if event["status"] == 200]
        assert answers[0]["at"] < entrypoint.started(after)["at"]
    eventually(lambda: "ready after" in entrypoint.output)
    assert process.poll() is None


def test_the_reranker_is_left_out_where_none_is_named(entrypoint: Entrypoint) -> None:
    entrypoint.serve(VLLM_RERANK_MODEL="")
    assert entrypoint.events("started", "embeddings")
    assert not entrypoint.events("started", "rerank")


def test_what_every_server_and_what_text_alone_is_told(entrypoint: Entrypoint) -> None:
    entrypoint.serve(VLLM_MAX_QUEUED="7", VLLM_SHUTDOWN_TIMEOUT="9", VLLM_MAX_MODEL_LEN="4096")
    for role in ("text", "embeddings"):
        assert entrypoint.option(role, "--max-num-queued-reqs") == "7"
        assert entrypoint.option(role, "--shutdown-timeout") == "9"
        assert entrypoint.option(role, "--port") == str(entrypoint.port(role))
    assert entrypoint.option("text", "--max-model-len") == "4096"
    assert entrypoint.option("embeddings", "--max-model-len") is None
    structured = json.loads(entrypoint.option("text", "--structured-outputs-config") or "")
    assert structured == {"backend": "xgrammar", "disable_any_whitespace": True}
    assert entrypoint.option("embeddings", "--structured-outputs-config") is None


def test_defaults(entrypoint: Entrypoint) -> None:
    entrypoint.serve(VLLM_MAX_QUEUED="", GPU_MEMORY_UTILIZATION="")
    assert entrypoint.option("text", "--max-model-len") == "16384"
    assert entrypoint.option("text", "--max-num-queued-reqs") == "256"
    assert entrypoint.option("text", "--shutdown-timeout") == "60"
    assert entrypoint.option("text", "--gpu-memory-utilization") == "0.70"
    assert entrypoint.option("embeddings", "--gpu-memory-utilization") == "0.08"
    assert "VLLM_CPU_KVCACHE_SPACE" not in entrypoint.started("text")["env"]


def test_further_arguments_are_split_and_come_last(entrypoint: Entrypoint) -> None:
    entrypoint.serve(VLLM_ARGS="--enforce-eager\n --dtype  *", VLLM_EMBED_ARGS='--hf-overrides {"a":[1]}')
    assert entrypoint.started("text")["argv"][-3:] == ["--enforce-eager", "--dtype", "*"]
    assert entrypoint.started("embeddings")["argv"][-2:] == ["--hf-overrides", '{"a":[1]}']


def test_on_a_cpu_no_share_is_given_but_a_cache(entrypoint: Entrypoint) -> None:
    # Shares that would be refused on a card mean nothing here.
    entrypoint.serve(VLLM_DEVICE="cpu", VLLM_CPU_KVCACHE_SPACE="2", GPU_MEMORY_UTILIZATION="0.95")
    for role in ("text", "embeddings"):
        assert entrypoint.option(role, "--gpu-memory-utilization") is None
        assert entrypoint.started(role)["env"]["VLLM_CPU_KVCACHE_SPACE"] == "2"


def test_secrets_reach_the_servers_and_nobody_else(entrypoint: Entrypoint) -> None:
    (entrypoint.secrets / "VLLM_API_KEY").write_text("key-of-files\n")
    (entrypoint.secrets / "HF_TOKEN").write_text("")
    entrypoint.serve(HF_TOKEN="token-of-env", VLLM_API_KEY="overruled")
    for role in ("text", "embeddings"):
        started = entrypoint.started(role)
        assert started["env"]["VLLM_API_KEY"] == "key-of-files"
        assert started["env"]["HF_TOKEN"] == "token-of-env"
        assert not [word for word in started["argv"] if "key-of" in word or "token-of" in word]
    assert "key-of" not in entrypoint.output
    assert "token-of" not in entrypoint.output


def test_empty_secrets_are_none(entrypoint: Entrypoint) -> None:
    entrypoint.serve(HF_TOKEN="", VLLM_API_KEY="")
    assert not {"HF_TOKEN", "VLLM_API_KEY"} & set(entrypoint.started("text")["env"])


def test_vllm_does_not_see_settings_that_are_not_its_own(entrypoint: Entrypoint) -> None:
    entrypoint.serve(VLLM_MAX_QUEUED="7", VLLM_ARGS="", VLLM_PORT="tcp://10.0.0.1:8000")
    seen = {name for name in entrypoint.started("text")["env"] if name.startswith("VLLM_")}
    assert seen == set()


def test_lines_are_told_apart_and_servers_are_children_of_the_script(entrypoint: Entrypoint) -> None:
    process = entrypoint.serve()
    output = {f"[{role}] {line}" for role in ("text", "embeddings") for line in ("loading", "a warning")}
    eventually(lambda: output <= set(entrypoint.output.splitlines()))
    for role in ("text", "embeddings"):
        assert entrypoint.started(role)["ppid"] == process.pid


def test_a_server_that_answers_503_is_not_ready(entrypoint: Entrypoint) -> None:
    entrypoint.tell("text", "hold")
    entrypoint.start()
    eventually(partial(entrypoint.was_checked, "text", times=3))
    assert "serving" not in entrypoint.output

"""`status`: what it shows, what it calls unhealthy, and that each fault comes with something to do."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from service_kit import peers
from switchyard.installation import announced
from switchyard.stack import exposition
from switchyard.stack.__main__ import main
from switchyard.stack.status import duration

from .conftest import ScriptedDocker, container

PROVIDER = {"backend": "vllm", "model": "meta-llama/Llama-3.2-3B-Instruct", "breaker": "closed", "state": "ready"}
HEALTH = {
    "service": "rag-service",
    "status": "ready",
    "failures": {},
    "providers": {"text": {**PROVIDER, "extractive": False, "fallbacks": [{"backend": "ollama"}]}},
    "policy_revision": 4,
}
POLICY = {
    "revision": 4,
    "changed": {"by": "operator", "at": "2026-11-21T10:00:00Z", "why": "canary"},
    "roles": {"text": {"stable": "vllm", "candidate": "ollama", "canary_percent": 10.0, "halted": False}},
}
VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.2-3B-Instruct"} 3.0
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.2-3B-Instruct"} 12.0
vllm:kv_cache_usage_perc{engine="0",model_name="meta-llama/Llama-3.2-3B-Instruct"} 0.4235
"""
JOBS = 'switchyard_jobs{kind="ingest",state="running"} 2.0\n'


def peers_output(health: dict[str, Any] = HEALTH, policy: dict[str, Any] = POLICY) -> str:
    answers: dict[str, Any] = {
        "http://rag-service:8001/health": {"status": 200, "body": json.dumps(health)},
        "http://rag-service:8001/metrics": {"status": 200, "body": JOBS},
        "http://vllm:8000/metrics": {"status": 200, "body": VLLM},
        "http://vllm:8001/metrics": {"error": "Connection refused"},
    }
    return json.dumps({"answers": answers, "policy": {"body": json.dumps(policy)}})


def started(docker: ScriptedDocker, *rows: dict[str, Any], inside: str = "", services: str = "") -> None:
    docker.with_containers(*rows)
    docker.on("exec", "rag-service-id", out=inside or peers_output())
    docker.on("config", "--services", out=services)


def test_a_healthy_stack(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_shot = container("ollama-models", status="exited", health="unhealthy", restart="on-failure")
    started(docker, container("rag-service", restarts=2), container("vllm"), one_shot, services="rag-service\nvllm")
    assert main(["status"], root, docker.env) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["container", "state", "health", "since", "restarts"],
        ["ollama-models", "done", "-", "-", "0"],
    ]
    assert any(line.split()[:3] == ["rag-service", "running", "healthy"] and line.endswith("2") for line in lines)
    assert "text  vllm     meta-llama/Llama-3.2-3B-Instruct  ready  ollama" in lines
    assert "policy revision 4, by operator: canary" in lines
    assert "  text: candidate ollama, canary 10 %, shadow 0 %" in lines
    assert ["text", "3", "12", "42", "%"] in [line.split() for line in lines]
    assert ["rag-service", "ingest", "running", "2"] in [line.split() for line in lines]
    assert lines[-1] == "everything is healthy"


@pytest.mark.parametrize(
    ("row", "words", "todo"),
    [
        (container("vllm", status="created", health=""), "waits for the containers", "fix those first"),
        (container("vllm", health="unhealthy", check="curl: (22) 503"), "is unhealthy: curl: (22) 503", "SERVICE=vllm"),
        (container("vllm", status="exited", exit_code=1, health=""), "has ended with 1", "SERVICE=vllm"),
        (container("vllm", status="exited", exit_code=137, oom=True), "more memory than its limit", ".env"),
        (container("vllm", status="paused"), "is paused", "docker unpause switchyard-vllm-1"),
        (container("vllm", health="starting"), "is starting", "wait"),
        (container("vllm", status="exited", exit_code=0), "has ended with 0", "SERVICE=vllm"),
        (
            container("vllm", status="created", health="", error="port is already allocated"),
            "already allocated",
            "logs",
        ),
    ],
)
def test_a_container_that_is_not_well(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any], words: str, todo: str
) -> None:
    started(docker, container("rag-service"), row)
    assert main(["status"], root, docker.env) == 1
    what, then = capsys.readouterr().out.splitlines()[-2:]
    assert words in what
    assert "vllm" in what
    assert todo in then


def test_one_dead_engine_is_one_fault(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not also its breaker, and the red container of whoever lacks it."""
    failing = {"text": {"detail": "text is unavailable: vllm refused"}}
    broken = {"text": {**PROVIDER, "breaker": "open", "last_error": "connection refused"}}
    page = {**HEALTH, "failures": failing, "providers": broken}
    started(docker, container("rag-service", health="unhealthy"), inside=peers_output(page, POLICY))
    assert main(["status"], root, docker.env) == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  - ")]
    assert [line for line in faults if "has no container" not in line] == [
        "  - rag-service: text: text is unavailable: vllm refused"
    ]


@pytest.mark.parametrize(
    ("health", "policy", "words"),
    [
        (
            {**HEALTH, "failures": {"text": {"detail": "text is loading for 12 s: vllm refused"}}},
            POLICY,
            "rag-service: text: text is loading for 12 s: vllm refused",
        ),
        (
            {**HEALTH, "providers": {"text": {**PROVIDER, "breaker": "open", "last_error": "connection refused"}}},
            POLICY,
            "text: vllm gets no requests after failures (connection refused)",
        ),
        (HEALTH, {**POLICY, "roles": {"text": {"stable": "vllm", "halted": True}}}, "text is halted"),
    ],
)
def test_what_the_services_say_is_wrong(
    docker: ScriptedDocker,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    health: dict[str, Any],
    policy: dict[str, Any],
    words: str,
) -> None:
    started(docker, container("rag-service"), inside=peers_output(health, policy))
    assert main(["status"], root, docker.env) == 1
    assert words in capsys.readouterr().out


def test_a_service_without_container_and_one_that_does_not_answer(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(docker, container("rag-service"), container("notes-service"), services="rag-service\nchroma")
    assert main(["status", "--json"], root, docker.env) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["healthy"] is False
    assert [fault["what"] for fault in shown["faults"]] == [
        "chroma has no container",
        "notes-service does not answer at its health page: status unknown",
    ]
    assert shown["queues"] == {"text": {"running": 3.0, "waiting": 12.0, "kv_cache": 0.4235}}
    assert shown["jobs"] == {"rag-service": {"ingest running": 2.0}}


def test_a_stack_that_is_down(docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker.on("ps")
    docker.on("config", out="rag-service\n")
    assert main(["status"], root, docker.env) == 1
    assert "the stack is down" in capsys.readouterr().out


def test_a_container_that_was_killed_is_started_again_by_its_name(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(docker, container("rag-service"), container("ollama", status="exited", exit_code=137))
    assert main(["status"], root, docker.env) == 1
    output = capsys.readouterr().out
    assert "ollama was killed\n" in output
    assert "docker start switchyard-ollama-1" in output


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(HEALTH).encode()
        self.send_response(200 if self.path.endswith("/health") else 503)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page() -> Any:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_where_nothing_can_be_run_inside_the_published_port_is_asked(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str], page: int
) -> None:
    ports = {"8001/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(page)}], "9000/tcp": None}
    docker.with_containers(container("rag-service", ports=ports))
    docker.on("exec", err="no python", code=127)
    docker.on("config", "--services")
    assert main(["status"], root, docker.env) == 0
    assert "meta-llama/Llama-3.2-3B-Instruct" in capsys.readouterr().out


def test_answers_refusals_and_silence_are_told_apart(page: int) -> None:
    urls = [f"http://127.0.0.1:{page}/health", f"http://127.0.0.1:{page}/readyz", "http://127.0.0.1:1/x"]
    answers = peers.fetch(urls)
    assert [answers[url].get("status") for url in urls] == [200, 503, None]
    assert "refused" in answers[urls[2]]["error"]


def test_the_module_prints_answers_and_the_policy(page: int) -> None:
    url = f"http://127.0.0.1:{page}/health"
    ran = subprocess.run([sys.executable, "-m", "service_kit.peers", url], capture_output=True, text=True, check=True)
    shown = json.loads(ran.stdout)
    assert shown["answers"][url]["status"] == 200
    assert "No such file" in shown["policy"]["error"]


def test_exposition_text_with_labels_and_escapes() -> None:
    text = '# TYPE a gauge\na{x="1,2",y="say \\"hi\\"\\n"} 1.5e3 1700000000\na 2\nb{} NaN\n}broken\n'
    samples = list(exposition.parse(text))
    assert samples[0].labels == {"x": "1,2", "y": 'say "hi"\n'}
    assert exposition.total(samples, "a") == 1502
    assert exposition.total(samples, "c") is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7200, "2 h"), (90061, "1 d 1 h")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_without_docker_it_is_the_process_that_runs_in_the_checkout(
    docker: ScriptedDocker, root: Path, capsys: pytest.CaptureFixture[str], page: int
) -> None:
    docker.with_containers()
    docker.on("config", "--services", out="rag-service\n")
    (root / "data" / "demo").mkdir(parents=True)
    url = f"http://127.0.0.1:{page}"
    with announced(root / "data" / "demo", url):
        for environment in (docker.env, {"PATH": "/nowhere"}):
            assert main(["status"], root, environment) == 0
            output = capsys.readouterr().out
            assert output.startswith(f"one process without Docker at {url}/")
            assert "meta-llama/Llama-3.2-3B-Instruct" in output
            assert "everything is healthy" in output

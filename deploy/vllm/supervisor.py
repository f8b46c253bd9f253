"""Runs one vLLM server per role in one container: text on port 8000, embeddings on 8001, a reranker on 8002 if one is named.

supervisor.py serve      start them one after the other and stay (the default)
supervisor.py download   fetch the configured models into the Hugging Face cache, and end
supervisor.py health     succeed if every configured server works; see `check`

The settings are environment variables: see `Settings`. HF_TOKEN and VLLM_API_KEY may also be files in /run/secrets.
vLLM's image has Python, so the standard library is all that this needs; hub.py uses the image's Hugging Face client.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, NoReturn

from hub import Gated, NoModel, Repository, fetch

BAD_VERB = 64
NO_MODEL = 69
"""A model is not in the cache and could not be fetched."""
SERVER_ENDED = 70
"""A server ended by itself, while loading or later: the restart policy is to act."""
STOP_TIMED_OUT = 71
"""Asked to stop, but a server did not end in time and was killed."""
GATED = 77
"""No token gives access to a gated model."""
BAD_SETTING = 78
DOWNLOAD_STOPPED = 143

_FOLDER = Path(__file__).parent
_DEFAULTS = dict(line.split("=", 1) for line in (_FOLDER / "defaults.env").read_text(encoding="utf-8").split())
_MODEL_SETTINGS = {"text": "VLLM_MODEL", "embeddings": "VLLM_EMBED_MODEL", "rerank": "VLLM_RERANK_MODEL"}
_SHARE_SETTINGS = {
    "text": "GPU_MEMORY_UTILIZATION",
    "embeddings": "EMBED_MEMORY_UTILIZATION",
    "rerank": "RERANK_MEMORY_UTILIZATION",
}
_ARGUMENT_SETTINGS = {"text": "VLLM_ARGS", "embeddings": "VLLM_EMBED_ARGS", "rerank": "VLLM_RERANK_ARGS"}
_OPEN_ALTERNATIVES = {
    "text": "Qwen/Qwen3-4B-Instruct-2507",
    "embeddings": "nomic-ai/nomic-embed-text-v1.5",
    "rerank": "BAAI/bge-reranker-v2-m3",
}
_GATED = tuple((_FOLDER / "gated.txt").read_text(encoding="utf-8").split())
"""What the ids of gated models begin with."""
_PROBES = {
    "text": ("/v1/completions", {"prompt": "a", "max_tokens": 1}),
    "embeddings": ("/v1/embeddings", {"input": "a"}),
    "rerank": ("/v1/rerank", {"query": "a", "documents": ["b"]}),
}
# vLLM takes every variable that begins with its name for one of its own and warns of those it does not know. It would even
# use VLLM_PORT, which Kubernetes sets for every service called vllm.
_NOT_FOR_VLLM = (
    *_MODEL_SETTINGS.values(),
    *_ARGUMENT_SETTINGS.values(),
    *("VLLM_MAX_MODEL_LEN", "VLLM_MAX_QUEUED", "VLLM_SHUTDOWN_TIMEOUT", "VLLM_DEVICE", "VLLM_PORT_BASE"),
    *("VLLM_CPU_KVCACHE_SPACE", "VLLM_PORT"),
)

_DEATH_GRACE = 5
"""Seconds the other servers have after one has died: the container is to restart soon."""
_STOP_MARGIN = 10
"""Seconds beyond VLLM_SHUTDOWN_TIMEOUT that a server may take to end."""
_STALL = 120
"""Seconds without a step after which a busy server counts as hung; a full prefill on a slow CPU takes less."""
_POLL = 0.2
_RUNNING_OR_WAITING = re.compile(r"^vllm:num_requests_(?:running|waiting)[{ ](.*)$", re.MULTILINE)
_STEPS = re.compile(
    r"^vllm:(?:iteration_tokens_total_count|generation_tokens_total|prompt_tokens_total|request_success_total)"
    r"[{ ](.*)$",
    re.MULTILINE,
)


def say(message: str, output: IO[str] = sys.stdout) -> None:
    output.write(f"[vllm] {message}\n")
    output.flush()


def die(status: int, message: str) -> NoReturn:
    say(f"ERROR: {message}", sys.stderr)
    sys.exit(status)


@dataclass
class ServedModel:
    """The model of a role: as it was named, and the folder or Hugging Face id that the name stands for."""

    role: str
    name: str
    path: str

    @property
    def is_folder(self) -> bool:
        return self.path.startswith(("/", "./", "../"))

    def served_names(self) -> list[str]:
        """Return the names it answers to; the configured one is first, as answers and metrics carry it."""
        names = [self.name, self.name.removesuffix(":latest"), self.path, *_short_names(self.path)[:1]]
        return list(dict.fromkeys(names))

    def in_cache(self) -> bool:
        return Repository(self.path).complete()

    def require_access(self) -> None:
        """Exit if the model is known to be gated and there is no token; only the Hub knows all gated models."""
        if self.path.startswith(_GATED) and not os.environ.get("HF_TOKEN"):
            self.refuse_gated()

    def refuse_gated(self) -> NoReturn:
        die(
            GATED,
            f"{self.path} is gated: its owner gives it only to those who accepted its licence. Either set "
            f"{_MODEL_SETTINGS[self.role]}={_OPEN_ALTERNATIVES[self.role]}, which is open; or accept the licence at "
            f"https://huggingface.co/{self.path} and put a token of that account into a file that HF_TOKEN_FILE in .env "
            "names (secrets/README.md).",
        )


def _names() -> list[tuple[str, str]]:
    """Return Ollama's short names and the Hugging Face ids that they stand for."""
    lines = [
        line.split()
        for line in (_FOLDER / "names.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    return [(line[0], line[1]) for line in lines]


def _short_names(hub_id: str) -> list[str]:
    return [name for name, path in _names() if path == hub_id]


def _model(role: str, name: str) -> ServedModel:
    bare, setting = name.removesuffix(":latest"), _MODEL_SETTINGS[role]
    model = ServedModel(role, name, bare if "/" in bare else dict(_names()).get(bare, ""))
    if not model.path:
        known = ", ".join(short for short, _ in _names())
        die(
            BAD_SETTING,
            f"{setting} is '{bare}', which is not a known short name. Give a Hugging Face id (owner/name), a folder, or "
            f"one of: {known}.",
        )
    if model.is_folder and not Path(model.path).is_dir():
        die(BAD_SETTING, f"{setting} is the folder {model.path}, which this container does not have.")
    return model


class Settings:
    """What the environment configures; exits with a message that names the variable where a value is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.max_model_len = self._whole_number("VLLM_MAX_MODEL_LEN")
        self.max_queued = self._whole_number("VLLM_MAX_QUEUED")
        self.shutdown_timeout = self._whole_number("VLLM_SHUTDOWN_TIMEOUT")
        self.port_base = self._whole_number("VLLM_PORT_BASE")
        self.stop_margin = int(self.get("STOP_MARGIN") or _STOP_MARGIN)
        names = {role: self.get(setting) for role, setting in _MODEL_SETTINGS.items()}
        self.roles = [role for role, name in names.items() if name]
        self.shares = {role: self.get(_SHARE_SETTINGS[role]) for role in self.roles}
        self.device = self.get("VLLM_DEVICE")
        self.cpu_cache = ""
        if self.device == "gpu":
            self._check_shares()
        elif self.device == "cpu":
            # On a CPU a share would be one of the machine's memory, whatever the container's limit and the other servers
            # are. With a KV cache of fixed size vLLM reads no share. Every server takes that much at once, but for those
            # whose model needs no KV cache, as most embedding models.
            self.cpu_cache = str(self._whole_number("VLLM_CPU_KVCACHE_SPACE"))
        else:
            die(BAD_SETTING, f"VLLM_DEVICE is '{self.device}', and must be gpu or cpu.")
        self.models = [_model(role, names[role]) for role in self.roles]

    def get(self, name: str) -> str:
        return self._environment.get(name) or _DEFAULTS.get(name, "")

    def _whole_number(self, name: str) -> int:
        value = self.get(name)
        if not re.fullmatch(r"[1-9][0-9]*", value):
            die(BAD_SETTING, f"{name} is '{value}', and must be a whole number above 0.")
        return int(value)

    def _check_shares(self) -> None:
        """Each share is of the whole card, also if others use it, and vLLM needs some more memory: leave a tenth."""
        for role, share in self.shares.items():
            if not re.fullmatch(r"0?\.0*[1-9][0-9]*", share):
                name = _SHARE_SETTINGS[role]
                die(BAD_SETTING, f"{name} is '{share}', and must be between 0 and 1, such as 0.08.")
        total = sum(map(Decimal, self.shares.values()))
        if total >= Decimal("0.9"):
            parts = " + ".join(f"{share} ({_SHARE_SETTINGS[role]})" for role, share in self.shares.items())
            die(
                BAD_SETTING,
                f"the memory shares add up to {total}: {parts}. They must stay below 0.9, or the last server finds the "
                "card full: lower GPU_MEMORY_UTILIZATION first.",
            )


def read_secrets(environment: MutableMapping[str, str]) -> None:
    """Set the secrets from their files; an empty one is none, although Compose passes it on."""
    for name in ("HF_TOKEN", "VLLM_API_KEY"):
        file = Path(environment.get("SECRETS_DIR") or "/run/secrets", name)
        try:
            if file.is_file() and file.stat().st_size:
                environment[name] = "".join(file.read_text().split())
        except PermissionError:
            # Without the secret the servers would be open to all, or a model would be called gated.
            die(
                BAD_SETTING,
                f"the file that {name}_FILE names can't be read by user {os.getuid()}: chmod a+r it on the host.",
            )
        if not environment.get(name):
            environment.pop(name, None)


def download(settings: Settings) -> int:
    """Fetch the models that are not in the cache."""

    def stop(*_: object) -> None:
        say("stopped; what was fetched is kept")
        os._exit(DOWNLOAD_STOPPED)  # the Hub's client would wait for its threads

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # A progress bar that redraws itself is unreadable in a container's log.
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    missing = []
    for model in settings.models:
        if model.is_folder:
            say(f"{model.role}: the folder {model.path}, nothing to fetch")
        elif model.in_cache():
            say(f"{model.role}: {model.path} is in the cache")
        else:
            missing.append(model)
    # All of them before the first download, which may take long.
    for model in missing:
        model.require_access()
    for model in missing:
        say(f"{model.role}: fetching {model.path}")
        try:
            fetch(model.path)
        except Gated:
            model.refuse_gated()
        except NoModel:
            die(NO_MODEL, f"{model.role}: {model.path} could not be fetched.")
    say("all models are there")
    return 0


class ServerEnded(Exception):
    """A server ended by itself."""


class StopRequested(Exception):
    """This process got SIGTERM or SIGINT."""


class Server:
    """One vLLM server, as a child process; every line of its output is marked by its role."""

    def __init__(self, model: ServedModel, settings: Settings) -> None:
        self.model, self.role = model, model.role
        self.port = settings.port_base + list(_MODEL_SETTINGS).index(self.role)
        options: list[object] = ["--host", "0.0.0.0", "--port", self.port]  # noqa: S104
        options += ["--max-num-queued-reqs", settings.max_queued, "--shutdown-timeout", settings.shutdown_timeout]
        if settings.device == "gpu":
            options += ["--gpu-memory-utilization", settings.shares[self.role]]
        if self.role == "text":
            # A weak model would fill the space that JSON allows between its parts endlessly.
            structured = json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})
            options += ["--max-model-len", settings.max_model_len, "--structured-outputs-config", structured]
        # The operator's arguments are last, so that they win.
        options += settings.get(_ARGUMENT_SETTINGS[self.role]).split()
        command = ["vllm", "serve", model.path, "--served-model-name", *model.served_names(), *map(str, options)]
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_VLLM}
        if settings.cpu_cache:
            environment["VLLM_CPU_KVCACHE_SPACE"] = settings.cpu_cache
        say(f"{self.role}: starting {model.path} on port {self.port}")
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        self._log = threading.Thread(target=self._copy_log, daemon=True)
        self._log.start()

    def _copy_log(self) -> None:
        for line in self.process.stdout or ():
            # One write for a line: the buffer's lock keeps lines of several servers apart.
            sys.stdout.buffer.write(f"[{self.role}] ".encode() + line)
            sys.stdout.buffer.flush()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def finish_log(self) -> None:
        """Wait for the last lines, not for ever: a grandchild may keep the pipe open."""
        self._log.join(1)


class Supervisor:
    """Starts the servers one after the other, and ends all of them when one ends or when asked to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._servers: list[Server] = []
        self._loading: Server | None = None
        self._stop = False
        self._began = time.monotonic()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        self._require_models()
        try:
            self._start()
            while True:
                self._check("while it served")
                time.sleep(_POLL)
        except StopRequested:
            timeout = self._settings.shutdown_timeout
            say(f"asked to stop: open requests may finish, within {timeout} s")
            # A server that is loading has no requests, and ignores gentler signals for long.
            if self._loading is not None:
                self._loading.process.kill()
            return self._end(0, timeout + self._settings.stop_margin)
        except ServerEnded as error:
            say(f"ERROR: {error}", sys.stderr)
            return self._end(SERVER_ENDED, _DEATH_GRACE)

    def _request_stop(self, *_: object) -> None:
        self._stop = True

    def _require_models(self) -> None:
        """Exit now for what would otherwise be noticed only after the servers before it have loaded."""
        for model in self._settings.models:
            if model.is_folder or model.in_cache():
                continue
            model.require_access()
            if os.environ.get("HF_HUB_OFFLINE") == "1":
                die(
                    NO_MODEL,
                    f"{model.path} is not in the cache, and this container may not fetch it. Run the container that does "
                    "(vllm-models), and look at its log.",
                )

    def _start(self) -> None:
        """Start the servers in turn: each measures how much of the card is free, and two at once get it wrong."""
        for model in self._settings.models:
            self._loading = Server(model, self._settings)
            self._servers.append(self._loading)
            self._await_healthy(self._loading)
            self._loading = None
        say(f"ready after {time.monotonic() - self._began:.0f} s")

    def _await_healthy(self, server: Server) -> None:
        began = reported = time.monotonic()
        while get(server.port, "/health") is None:
            self._check(f"while {server.role} was loading")
            time.sleep(_POLL)
            if time.monotonic() - reported >= 30:
                reported = time.monotonic()
                say(f"{server.role}: still loading after {reported - began:.0f} s")
        # Another program may have had the port before.
        self._check(f"while {server.role} was loading")
        names = " ".join(server.model.served_names())
        say(f"{server.role}: serving after {time.monotonic() - began:.0f} s as {names}")

    def _check(self, when: str) -> None:
        """Raise `StopRequested` or `ServerEnded` if that is so."""
        if self._stop:
            raise StopRequested
        for server in self._servers:
            if not server.running:
                code = server.process.returncode
                status = 128 - code if code < 0 else code  # as a shell counts deaths by signals
                raise ServerEnded(
                    f"the server for {server.role} ({server.model.path}) ended with status {status} {when}. Look at the "
                    f"lines above that begin with [{server.role}]: the last error among them is the cause. {_hint(status)}"
                )

    def _end(self, status: int, grace: int) -> int:
        for server in self._servers:
            server.process.terminate()
        limit = time.monotonic() + grace
        for server in self._servers:
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(max(0.0, limit - time.monotonic()))
        running = [server for server in self._servers if server.running]
        if running:
            say(f"not all servers ended within {grace} s: killing the rest", sys.stderr)
            for server in running:
                server.process.kill()
                server.process.wait()
            status = status or STOP_TIMED_OUT
        for server in self._servers:
            server.finish_log()
        say(f"ended with status {status}")
        return status


def _hint(status: int) -> str:
    if status == 137:
        return "137 is a kill -9: usually the container's memory limit (docker inspect says OOMKilled)."
    if status == 0:
        return "It stopped as if it had been asked to."
    return "Usually it is memory: lower the shares, VLLM_MAX_MODEL_LEN, or choose a smaller model."


def get(port: int, path: str, body: object = None) -> str | None:
    """Return the answer of a server of this container, by POST if there is a body; None if its status is not 200."""
    key = os.environ.get("VLLM_API_KEY")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return text if answer.status == 200 else None


def health(settings: Settings) -> int:
    """Check every server; print what is wrong with the first that does not work."""
    for model in settings.models:
        if fault := check(model.role, settings.port_base + list(_MODEL_SETTINGS).index(model.role)):
            print(f"{model.role}: {fault}")
            return 1
    print(f"healthy: {' '.join(settings.roles)}")
    return 0


def _total(series: re.Pattern[str], metrics: str) -> float:
    """Add up the values, which stand last on their lines."""
    return sum(float(rest.split()[-1]) for rest in series.findall(metrics))


def check(role: str, port: int) -> str:
    """Return what is wrong with a server; empty if it works: if it answers a tiny request while idle, or makes progress.

    /health alone is green for an engine that hangs; a request alone would wait behind the load, and so fail (or be
    answered 503) when the server does most.
    """
    if get(port, "/health") is None:
        return "/health does not answer 200"
    metrics = get(port, "/metrics")
    if metrics is None:
        return "no metrics"
    # Each check is a process of its own: a file keeps how far the server was, and since when.
    progress = Path(os.environ.get("TMPDIR") or "/tmp", f"vllm-progress.{role}")  # noqa: S108
    requests = _total(_RUNNING_OR_WAITING, metrics)
    if not requests:
        progress.unlink(missing_ok=True)
        # A burst of requests in between fails this check; the next one sees its progress.
        return "" if get(port, *_PROBES[role]) is not None else "idle, but a request of one token failed"
    steps, now = int(_total(_STEPS, metrics)), int(time.time())
    try:
        before, since = map(int, progress.read_text().split())
    except (OSError, ValueError):
        before = since = -1
    if before != steps:
        since = now
        progress.write_text(f"{steps} {since}\n")
    return f"{requests:.0f} requests, and no step for {now - since} s" if now - since >= _STALL else ""


def main(arguments: Sequence[str]) -> int:
    verb = arguments[0] if arguments else "serve"
    if verb not in ("serve", "download", "health"):
        die(BAD_VERB, f"unknown verb '{verb}': serve, download or health.")
    read_secrets(os.environ)
    settings = Settings(os.environ)
    if verb == "serve":
        return Supervisor(settings).run()
    return download(settings) if verb == "download" else health(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

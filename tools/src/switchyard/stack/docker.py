"""The `docker` command: for its output, on the terminal, or with pipes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from switchyard.stack.errors import DockerFailed, Stopped

_NOT_INSTALLED = Stopped(
    "the command `docker` is not installed, or not on the PATH",
    "install Docker Engine with the Compose plug-in: https://docs.docker.com/engine/install/",
)


class Docker:
    """Runs `docker` in the folder `root` with the environment `env`."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self.root, self.env = root, dict(env)

    def out(self, *args: str, seconds: float = 120, both: bool = False) -> str:
        """Return what the command writes to stdout (and stderr, for `both`).

        Raises `DockerFailed`, also after `seconds` without an end.
        """
        command = " ".join(["docker", *args[:6], *(["…"] if len(args) > 6 else [])])
        try:
            done = subprocess.run(
                ["docker", *args],
                cwd=self.root,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if both else subprocess.PIPE,
                check=False,
                timeout=seconds,
            )
        except FileNotFoundError as error:
            raise _NOT_INSTALLED from error
        except subprocess.TimeoutExpired as error:
            raise DockerFailed(command, 124, f"no answer within {seconds:.0f} s") from error
        if done.returncode:
            raise DockerFailed(command, done.returncode, (done.stderr or done.stdout).decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def show(self, *args: str) -> int:
        """Run the command on this terminal and return its exit status; Ctrl-C goes to it, and we wait for its end."""
        # A handler, not SIG_IGN: the child would inherit that.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.call(["docker", *args], cwd=self.root, env=self.env)
        except FileNotFoundError as error:
            raise _NOT_INSTALLED from error
        finally:
            signal.signal(signal.SIGINT, before)

    def pipe(self, *args: str) -> subprocess.Popen[bytes]:
        """Start the command with pipes; Ctrl-C does not reach it, so that its caller can end it in order."""
        return self._start(["docker", *args], subprocess.PIPE)

    def guard(self, *args: str) -> subprocess.Popen[bytes]:
        """Start a process that runs the command once its stdin is closed: by us, or because this process ended."""
        # What it prints is dropped, not piped: writing to a pipe that nobody reads any more would end it early.
        return self._start(["/bin/sh", "-c", 'read -r _; exec "$0" "$@"', "docker", *args], subprocess.DEVNULL)

    def _start(self, command: Sequence[str], stdout: int) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.root, env=self.env, stdin=pipe, stdout=stdout, stderr=pipe, start_new_session=True
        )

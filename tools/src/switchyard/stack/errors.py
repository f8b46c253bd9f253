"""Why a command of this package can't continue."""

from __future__ import annotations


class Stopped(Exception):
    """The command can't go on: the message says why, `todo` what the operator can do about it."""

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message)
        self.todo = todo


class DockerFailed(Stopped):
    """A docker command ended with `code`; the message is what it wrote to stderr."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        super().__init__(stderr.strip() or f"`{command}` ended with {code}", f"the command was: {command}")
        self.stderr = stderr

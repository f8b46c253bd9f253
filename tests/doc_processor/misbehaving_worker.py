"""A worker whose one format does what the page's number says; run as a program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from doc_processor.parsers.base import ParsedPage, ParseLimits, Properties, Upload
from doc_processor.workers.child import serve

CRASH, HANG, GRANDCHILD, MEMORY, PRINT, ENVIRONMENT, BUG, GREEDY, SOCKET, READ, WRITE, RUN = range(101, 113)


class Trouble:
    """Pages below 100 are well-behaved; their text is the file's, and the worker's process id."""

    warnings = ()
    properties = Properties()

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self.pages = int(upload.path.read_text().split()[0])

    def page(self, number: int) -> ParsedPage:
        if number == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == HANG:
            self._upload.path.with_name("hanging").write_text(str(os.getpid()))
            while True:
                time.sleep(60)
        if number == GRANDCHILD:
            child = subprocess.Popen(["sleep", "600"])
            self._upload.path.with_name("grandchild").write_text(str(child.pid))
            child.wait()
        if number == MEMORY:
            return ParsedPage(str(len(bytearray(4 << 30))), "trouble")
        if number == GREEDY:
            self._leak = bytearray(600 << 20)
            return ParsedPage(f"grown {os.getpid()}", "trouble")
        if number == PRINT:
            print("a library that prints")  # noqa: T201
            sys.stdout.flush()
        if number == ENVIRONMENT:
            return ParsedPage(" ".join(sorted(os.environ)), "trouble")
        if number in (SOCKET, READ, WRITE, RUN):
            return ParsedPage(self._attempt(number), "trouble")
        if number == BUG:
            raise ZeroDivisionError("the text of the page")
        marks = self._upload.path.with_name(f"page-{number}")
        marks.write_text("")
        return ParsedPage(f"page {number} by {os.getpid()}", "trouble")

    def _attempt(self, number: int) -> str:
        """Try what a parser that was taken over would; the file's other words say where."""
        target = Path(self._upload.path.read_text().split()[-1])
        try:
            if number == SOCKET:
                socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            elif number == READ:
                target.read_text()
            elif number == WRITE:
                target.with_name("written").write_text("")
            else:
                return str(subprocess.run(["cat", target], capture_output=True).returncode)
        except OSError as error:
            return type(error).__name__
        return "done"

    def close(self) -> None:
        pass


def open_as(media_type: str, upload: Upload, limits: ParseLimits) -> Trouble:
    path = Path(upload.path)
    if path.read_text().startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return Trouble(upload)


if __name__ == "__main__":
    serve(open_as)

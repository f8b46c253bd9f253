"""The worker process: opens documents and reads pages, one task after the other, within hard limits."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from doc_processor import parsers
from doc_processor.figures import Illustrated
from doc_processor.markdown import one_line
from doc_processor.parsers.base import Opened, ParseLimits, Renderable, RenderablePages, Upload
from doc_processor.refusals import NoPicture, Refusal, UnpacksTooLarge, Unreadable
from doc_processor.sniff import sniff
from doc_processor.text import clean
from doc_processor.workers import protocol
from doc_processor.workers.confinement import confine
from doc_processor.workers.protocol import Message

OpenAs = Callable[[str, Upload, ParseLimits], Opened]
_RECYCLE_SHARE = 0.6
_LONGEST = 300
"""Characters of what a file says about itself."""


class TaskRunner:
    """Runs tasks; keeps the last document open, so that its pages need not each open it again."""

    def __init__(self, limits: ParseLimits, open_as: OpenAs) -> None:
        self._limits = limits
        self._open_as = open_as
        self._path = ""
        self._opened: Opened | None = None
        self._tasks: Mapping[str, Callable[[Message], Message]] = {
            "open": self._open,
            "page": self._page,
            "ocr": self._ocr,
            "picture": self._picture,
            "figures": self._figures,
            "view": self._view,
            "close": self._close,
        }

    def run(self, task: Message) -> Message:
        """Run one task; raises `Refusal`."""
        return self._tasks[task["task"]](task)

    def _open(self, task: Message) -> Message:
        upload = Upload(Path(task["path"]), task["name"], task["declared"])
        sniffed = sniff(upload)
        opened = self._take({**task, "media_type": sniffed.media_type})
        warnings = [asdict(note) for note in (*sniffed.warnings, *opened.warnings)]
        properties = {name: one_line(clean(text or ""))[:_LONGEST] for name, text in asdict(opened.properties).items()}
        return {
            "media_type": sniffed.media_type,
            "pages": opened.pages,
            "own_pages": getattr(opened, "own_pages", opened.pages),
            "warnings": warnings,
            "properties": properties,
        }

    def _page(self, task: Message) -> Message:
        return asdict(self._take(task).page(task["number"]))

    def _ocr(self, task: Message) -> Message:
        from doc_processor.ocr.recognition import recognise

        return asdict(recognise(self._look(task), self._limits))

    def _picture(self, task: Message) -> Message:
        from doc_processor.ocr.preparation import for_vision

        for_vision(self._look(task)).save(task["into"], "JPEG", quality=85)
        return {}

    def _figures(self, task: Message) -> Message:
        """Write pictures of the page as `into` with their number, as many as `most`."""
        from doc_processor.ocr.preparation import for_vision

        opened = self._take(task)
        figures = opened.figures(task["number"])[: task["most"]] if isinstance(opened, Illustrated) else []
        for index, figure in enumerate(figures):
            for_vision(figure).save(f"{task['into']}-{index}.jpg", "JPEG", quality=85)
        return {"written": len(figures)}

    def _close(self, task: Message) -> Message:
        self.clear()
        return {}

    def _view(self, task: Message) -> Message:
        opened = self._renderable(task)
        if not 1 <= task["number"] <= opened.pages:
            raise Unreadable(f"the document has no page {task['number']}")
        view = opened.view(task["number"], task["width"])
        view.image.convert("RGB").save(task["into"], "JPEG", quality=80)
        return {"width": view.image.width, "height": view.image.height, "words": [asdict(word) for word in view.words]}

    def _look(self, task: Message) -> Any:
        return self._renderable(task).render(task["number"])

    def _renderable(self, task: Message) -> RenderablePages:
        opened = self._take(task)
        if not isinstance(opened, Renderable):
            raise NoPicture("pages of this format have no picture")
        return cast(RenderablePages, opened)

    def _take(self, task: Message) -> Opened:
        if self._opened is None or self._path != task["path"]:
            self.clear()
            upload = Upload(Path(task["path"]), task["name"], task["declared"])
            self._opened = self._open_as(task["media_type"], upload, self._limits)
            self._path = task["path"]
        return self._opened

    def clear(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None


def answer(runner: TaskRunner, task: Message) -> Message:
    """Run a task; any failure becomes an answer that names its kind and holds none of the text."""
    try:
        return {"ok": runner.run(task)}
    except Refusal as refusal:
        return {"refused": refusal.kind, "detail": str(refusal)}
    except MemoryError:
        runner.clear()
        return {"refused": UnpacksTooLarge.kind, "detail": "reading it takes more memory than a worker may use"}
    except Exception as error:  # a parser's bug on a strange file must not look like ours
        runner.clear()
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return {"refused": Unreadable.kind, "detail": "the parser failed on it", "exception": kind}


def _address_space() -> int:
    """Return what counts against the limit, in bytes (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def serve(open_as: OpenAs = parsers.open_as) -> None:
    """Answer tasks from standard input until it ends; the first message sets the limits."""
    # Libraries that print must not be able to break the protocol.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tasks = sys.stdin.buffer
    setup = protocol.read(tasks)
    if setup is None:
        return
    confined = confine(setup["memory_bytes"], setup["scratch"])
    runner = TaskRunner(ParseLimits(**setup["limits"]), open_as)
    reply: Message = {"ok": {"confined": confined}}
    while True:
        answers.write(protocol.encode(reply))
        answers.flush()
        task = protocol.read(tasks)
        if task is None:
            return
        reply = answer(runner, task)
        # Memory that a large document used is seldom returned to the system; the next one needs it.
        reply["recycle"] = _address_space() > setup["memory_bytes"] * _RECYCLE_SHARE


if __name__ == "__main__":
    serve()

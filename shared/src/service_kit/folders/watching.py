"""Rounds one after the other: until all is equal, or for as long as the folder is watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from service_kit.folders.mirror import Mirror, Round
from service_kit.folders.remote import RemoteError
from service_kit.folders.scan import SETTLE_SECONDS, FolderGone

_POLL_SECONDS = 1.0
_WRITING_SECONDS = 120.0
"""How long a single run waits for files that are being written."""
_AGAIN_SECONDS = 10.0
_ASK_SECONDS = 600.0
"""How often the service is asked for its documents although no file has changed: somebody may have deleted one there."""


def once(mirror: Mirror) -> Round:
    """Mirror until nothing is left to be done; raises `FolderGone` and `RemoteError`."""
    began = time.monotonic()
    while True:
        done = mirror.round()
        if done.is_settled:
            return done
        if (done.waiting or done.leaving) and not (done.sent or done.retried or done.pending):
            if not done.leaving and time.monotonic() - began > _WRITING_SECONDS:
                done.failed |= dict.fromkeys(done.waiting, "is still being written")
                return done
            time.sleep(SETTLE_SECONDS)
        else:
            began = time.monotonic()
            _until_read(mirror, lambda: False)


def follow(mirror: Mirror, every: float, stop: Event, beat: Callable[[], None] = lambda: None) -> None:
    """Mirror at each change of the folder, and at least `every` so many seconds: shares on a network tell of no changes.

    `beat` is called again and again while the service answers and the folder is there.
    """
    changed = Event()
    Thread(target=_watch, args=(mirror.root, changed, stop), daemon=True).start()
    said, failed, asked = "", dict[str, str](), 0.0

    def interrupted() -> bool:
        beat()
        return stop.is_set() or changed.is_set()

    while not stop.is_set():
        changed.clear()
        try:
            if mirror.is_unchanged() and time.monotonic() < asked + _ASK_SECONDS:
                beat()
                _wait(changed, every, stop)
                continue
            done, asked = mirror.round(), time.monotonic()
            beat()
            if done.pending or done.sent or done.retried:
                _until_read(mirror, interrupted)
                continue
            for name, why in sorted(done.failed.items()):
                if failed.get(name) != why:
                    mirror.report(f"no document: {name}: {why}")
            failed = done.failed
            said, pause = "", SETTLE_SECONDS if done.waiting or done.leaving else every
        except (FolderGone, RemoteError) as error:
            words = f"{error}; nothing is changed until that is better"
            if words != said:
                mirror.report(words)
            said, pause = words, min(every, _AGAIN_SECONDS)
        _wait(changed, pause, stop)


def _until_read(mirror: Mirror, interrupted: Callable[[], bool]) -> None:
    time.sleep(_POLL_SECONDS)
    while not interrupted() and any(mirror.remote.is_reading(name) for name in mirror.collections()):
        time.sleep(_POLL_SECONDS)


def _wait(changed: Event, seconds: float, stop: Event) -> None:
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        if changed.wait(min(left, _POLL_SECONDS)):
            return


def _watch(root: Path, changed: Event, stop: Event) -> None:
    from watchfiles import watch

    while not stop.is_set():
        try:
            for _ in watch(root, stop_event=stop, ignore_permission_denied=True, raise_interrupt=False):
                changed.set()
        except (OSError, RuntimeError):
            # Not there, or more folders than the system watches: the scans go on.
            pass
        stop.wait(_AGAIN_SECONDS)

"""Refusals, which strangers can cause without end: the first of a kind is an entry, and all others of its minute are one more."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from service_kit.audit.entries import Fields, now

_SECONDS = 60
_MOST_KINDS = 10_000


class RefusalCounts:
    """Counts refusals by caller, act and status."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since: dict[tuple[object, ...], tuple[float, int, Fields]] = {}

    def is_first(self, fields: Fields) -> bool:
        """Whether this is an entry of its own; if not, it is counted."""
        kind: tuple[object, ...] = (*fields["who"].values(), fields["act"], fields["status"], fields["problem"])
        with self._lock:
            if kind not in self._since and len(self._since) >= _MOST_KINDS:
                kind = ("others",)
            if (known := self._since.get(kind)) is not None:
                begun, more, last = known
                self._since[kind] = begun, more + 1, last
                return False
            last = fields if kind != ("others",) else {**fields, "who": {"key": "others"}}
            self._since[kind] = monotonic(), 0, last
            return True

    def over(self, *, everything: bool) -> list[Fields]:
        """Return the entries of those whose minute is over, or of all, and forget them."""
        before = monotonic() - _SECONDS
        with self._lock:
            over = [kind for kind, (begun, _, _) in self._since.items() if everything or begun <= before]
            ended = [self._since.pop(kind) for kind in over]
        return [{**fields, "time": now(), "count": more} for _, more, fields in ended if more]

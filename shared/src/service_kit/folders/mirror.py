"""One round of mirroring: look at the folder, ask for the documents, make them equal."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from service_kit.folders.plan import Known, Plan, planned
from service_kit.folders.remote import Remote, RemoteError
from service_kit.folders.scan import SETTLE_SECONDS, Contents, Fingerprints, Listing, Signature, scan

_AT_ONCE = 4
_FEW, _SHARE = 10, 5
"""Deleted without a question: ten documents, or a fifth of them."""
_REFUSED = (400, 413, 415, 422)
"""The file is at fault, and may be sent again once it has changed."""


@dataclass(slots=True)
class Round:
    """What a round has done, and what is left: `waiting` files are being written, `pending` documents being read.

    `failed` says why files are no documents, by name; `leaving` deletions are made if their files do not come back, `withheld`
    ones are too many.
    """

    sent: int = 0
    retried: int = 0
    deleted: int = 0
    withheld: int = 0
    leaving: int = 0
    pending: int = 0
    files: int = 0
    waiting: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return not (self.sent or self.retried or self.deleted or self.leaving or self.pending or self.waiting)


@dataclass(slots=True)
class Mirror:
    """Mirrors `root`; `collection_of` says where a file goes, `collections` where documents of this source may be.

    Documents are named `source:PATH`. At most `max_deletes` are deleted in a round; without, a few or a small share of them,
    and none where the folder is empty: then its disk is probably away.
    """

    root: Path
    remote: Remote
    source: str
    collection_of: Callable[[str], str | None]
    collections: Callable[[], list[str]]
    report: Callable[[str], None]
    max_deletes: int | None = None
    _fingerprints: Fingerprints = field(init=False)
    _refused: dict[str, tuple[Signature, str]] = field(default_factory=dict)
    _missing: dict[str, float] = field(default_factory=dict)
    _said: str = ""
    _settled: Listing | None = None

    def __post_init__(self) -> None:
        self._fingerprints = Fingerprints(self.root)

    def round(self) -> Round:
        """Make the documents those of the folder, as far as is possible now; raises `FolderGone` and `RemoteError`."""
        listing = scan(self.root)
        contents = self._fingerprints.read(listing)
        done = Round(files=len(listing.files), waiting=contents.waiting, skipped=dict(listing.skipped))
        done.failed |= contents.unreadable
        plans = dict(self._plans(listing, contents, done))
        for collection, plan in plans.items():
            self._send(collection, plan, listing, done)
            done.failed |= plan.failed
            done.pending += plan.pending
        self._delete(plans, listing, done)
        self._settled = listing if done.is_settled else None
        return done

    def is_unchanged(self) -> bool:
        """Whether the folder is as it was when a round found nothing to do; raises `FolderGone`."""
        return self._settled is not None and scan(self.root) == self._settled

    def _plans(self, listing: Listing, contents: Contents, done: Round) -> Iterator[tuple[str, Plan]]:
        by_collection = defaultdict[str, dict[str, str]](dict)
        for name, digest in contents.hashes.items():
            if (collection := self.collection_of(name)) is None:
                done.skipped[name] = "its folder's name has no letters for the name of a collection"
            else:
                by_collection[collection][name] = digest
        unsure = contents.waiting | contents.unreadable.keys()
        for collection in sorted({*by_collection, *self.collections()}):
            known = self.remote.documents(collection)
            yield (
                collection,
                planned(
                    by_collection[collection],
                    lambda name: name not in unsure and listing.knows(name),
                    known,
                    self.source,
                ),
            )

    def _send(self, collection: str, plan: Plan, listing: Listing, done: Round) -> None:
        for name, (signature, why) in list(self._refused.items()):
            if listing.files.get(name) != signature:
                del self._refused[name]
            else:
                done.failed[name] = why
        names = [name for name in plan.sends if name not in self._refused]

        def send(name: str) -> None:
            try:
                self.remote.add(collection, f"{self.source}:{name}", self.root / name)
            except OSError:
                # Gone, or no more to be read: the next round will see.
                done.waiting.add(name)
            except RemoteError as error:
                if error.status not in _REFUSED:
                    raise
                self._refused[name] = (listing.files[name], str(error))
                done.failed[name] = str(error)
                self.report(f"not taken: {name}: {error}")
            else:
                done.sent += 1
                self.report(f"sent: {name} -> {collection}")

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(send, names))
        for one in plan.retries:
            self.remote.retry(one.id)
            done.retried += 1
            self.report(f"once more ({one.attempts + 1}): {one.external_id}: {one.error}")

    def _delete(self, plans: dict[str, Plan], listing: Listing, done: Round) -> None:
        leaving: list[Known] = [one for plan in plans.values() for one in plan.deletes]
        owned = sum(plan.owned for plan in plans.values())
        allowed = self.max_deletes
        if allowed is None:
            allowed = max(_FEW, owned // _SHARE) if listing.files or listing.skipped else 0
        if len(leaving) > allowed:
            done.withheld = len(leaving)
            self._say_once(
                f"nothing deleted: {len(leaving)} of {owned} documents have no file in {self.root} any more, which is more than "
                f"{allowed}; is its disk there? If they are to go: --max-deletes {len(leaving)}"
            )
            return
        self._said = ""
        now = time.monotonic()
        # Programs save by deleting and writing anew, and what is renamed is not to be deleted before it is seen elsewhere.
        self._missing = {one.id: self._missing.get(one.id, now) for one in leaving}
        due = [one for one in leaving if now - self._missing[one.id] >= SETTLE_SECONDS]
        done.leaving = len(leaving) - len(due)
        for one in due:
            self.remote.delete(one.id)
            done.deleted += 1
            self.report(f"deleted: {one.external_id}")

    def _say_once(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self.report(words)

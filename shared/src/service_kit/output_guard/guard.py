"""The guard itself, over a text as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import regex

from service_kit.output_guard.patterns import BEGINNINGS, HIDDEN, SCRIPTS, Kind, compiled, harmless
from service_kit.output_guard.prompt_leak import CANARY, PromptLeak
from service_kit.output_guard.settings import Mode, OutputGuardSettings

_KINDS: tuple[Kind, ...] = ("prompt", "secret", "link", "html", "address")
_NAMES: dict[Kind, str] = {
    "prompt": "the rules that the model was given",
    "secret": "keys or tokens",
    "link": "images or links that no document holds",
    "html": "HTML tags",
    "address": "internal addresses or paths",
}
_LONGEST_HELD = 4000
_CONTEXT = 2
_END = "\n\n"
"""Stands behind the end of the text, so that open patterns end."""
_BEGINNING = regex.compile(r"[<!\[\]/-]|\b\w")
"""Where a match can begin."""
_WORD = regex.compile(r"\w++")


@dataclass(frozen=True, slots=True)
class GuardModes:
    """What becomes of each kind."""

    modes: dict[Kind, Mode]

    @classmethod
    def of(cls, settings: OutputGuardSettings) -> GuardModes:
        return cls(
            {
                "prompt": settings.guard_prompt,
                "secret": settings.guard_secrets,
                "address": settings.guard_addresses,
                "link": settings.guard_links,
                "html": settings.guard_html,
            }
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """How often something of a kind was found, and what was done."""

    kind: Kind
    mode: Mode
    count: int

    def __str__(self) -> str:
        done = {"flag": "found", "redact": "made harmless", "block": "found, and the answer withheld"}[self.mode]
        return f"{_NAMES[self.kind]} in what the model wrote: {self.count} {done}"


@dataclass(slots=True)
class OutputGuard:
    """Lets text through, but what must not go out; holds back only what may become that.

    What stands in `known`, the documents of the answer or the user's own messages, may be repeated, except HTML, which is
    always made harmless. `blocked` is set where the answer has to be withheld: nothing is let through from then on.
    """

    modes: GuardModes
    rules: Sequence[str]
    known: str
    blocked: bool = False
    _pending: str = ""
    _before: str = ""
    _counts: dict[Kind, int] = field(default_factory=dict)
    _leak: PromptLeak | None = None

    def add(self, text: str) -> str:
        """Take more text; return what can be shown by now."""
        # With the character before, which decides whether a joiner is needed.
        before = (self._before + self._pending)[-1:]
        self._pending += HIDDEN.sub("", before + text)[len(before) :]
        return self._released("", whole=False)

    def finish(self) -> str:
        """Return the rest."""
        return self._released(_END, whole=True).removesuffix(_END)

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return bool(self._pending or (self._leak is not None and self._leak.held))

    @property
    def findings(self) -> list[Finding]:
        return [Finding(kind, self.modes.modes[kind], count) for kind, count in sorted(self._counts.items())]

    def _released(self, end: str, *, whole: bool) -> str:
        if self.blocked:
            return ""
        # With the characters before, so that a match does not begin within a word that is out already.
        text, place = self._before + self._pending + end, len(self._before)
        decided = len(text) if whole else self._decided(text, place)
        shown = ""
        while not self.blocked and (match := _pattern().search(text, place)) is not None and match.start() < decided:
            shown += text[place : match.start()] + self._instead(match)
            place = match.end()
        if not self.blocked:
            shown += text[place:decided]
        place = max(place, decided)
        self._before, self._pending = text[max(0, place - _CONTEXT) : place], text[place:]
        return self._without_leak(shown, whole=whole)

    def _decided(self, text: str, begin: int) -> int:
        """Return where the first match begins that only more text can decide."""
        if len(self._pending) > _LONGEST_HELD:
            return len(text)
        for beginning in _BEGINNING.finditer(text, begin):
            place = int(beginning.start())
            is_word = _WORD.fullmatch(text, place) is not None
            if is_word and BEGINNINGS.fullmatch(text, place, partial=True) is None:
                continue
            match = _pattern().fullmatch(text, place, partial=True)
            if match is not None and match.partial:
                return place
        return len(text)

    def _without_leak(self, text: str, *, whole: bool) -> str:
        if not self.rules:
            return text
        self._leak = self._leak or PromptLeak(self.rules)
        shown, leaked = self._leak.add(text, whole=whole)
        if leaked:
            self._found("prompt")
            if self.modes.modes["prompt"] == "flag":
                self.rules = ()
                return shown + self._leak.held
            # What follows is the rest of it, as likely as not.
            self.blocked = True
        return shown

    def _instead(self, match: regex.Match[str]) -> str:
        kind = next(kind for kind in _KINDS if match.group(kind) is not None)
        found = str(match.group())
        if kind != "html" and kind != "prompt" and self._is_known(kind, match):
            # A person may follow a link of a document; an image would be fetched unasked.
            shows = kind == "link" and found.startswith("!") and self.modes.modes["link"] != "flag"
            return found[1:] if shows else found
        self._found(kind)
        mode = self.modes.modes[kind]
        if mode == "flag":
            return found
        if mode == "block" or kind == "prompt":
            self.blocked = True
            return ""
        return harmless(kind, match)

    def _is_known(self, kind: Kind, match: regex.Match[str]) -> bool:
        said = str(match.group("target") if kind == "link" else match.group()).rstrip(".,;:!?")
        # Neither the stack's own keys nor scripts are a document's to give away.
        if (kind == "secret" and said.startswith("sy-")) or said.casefold().startswith(SCRIPTS):
            return False
        return said.removeprefix("mailto:") in self.known

    def _found(self, kind: Kind) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1


def guarded(text: str, modes: GuardModes, rules: Sequence[str], known: str) -> tuple[str, OutputGuard]:
    """Return a whole text as it may go out, and the guard that knows what was found."""
    guard = OutputGuard(modes, rules, known)
    return guard.add(text) + guard.finish(), guard


@lru_cache(maxsize=1)
def _pattern() -> regex.Pattern[str]:
    return compiled(CANARY)

"""What a model wrote in a note, held against the output guard; quotes are the source's own words, and stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from notes_service.grounding import Content
from service_kit.output_guard import Finding, GuardModes, OutputGuard

_QUOTED = frozenset({"source", "quote"})


class OutgoingNote:
    """Cleans the texts of one note; `findings` says what was found in them."""

    def __init__(self, modes: GuardModes, rules: Sequence[str], source: str) -> None:
        self._modes, self._rules, self._source = modes, rules, source
        self.findings: list[Finding] = []

    def text(self, written: str) -> str:
        """Return a text as it may be shown, "" if it has to be withheld."""
        guard = OutputGuard(self._modes, self._rules, self._source)
        shown = guard.add(written) + guard.finish()
        self.findings += guard.findings
        return "" if guard.blocked else shown

    def content(self, content: Content) -> Content:
        """Return a note's body as it may be shown; points of which nothing is left are dropped."""
        found = Content.model_validate(_mapped(content.model_dump(), self.text))
        found.key_points = [point for point in found.key_points if point.text]
        found.decisions = [point for point in found.decisions if point.text]
        found.action_items = [action for action in found.action_items if action.text]
        return found


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(item, change) for item in value]
        case dict():
            return {name: item if name in _QUOTED else _mapped(item, change) for name, item in value.items()}
    return value

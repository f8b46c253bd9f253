"""Which names are one entity: by legal form, spelling, acronym and short form; never across types.

Every rule asks for more than likeness. Only one letter may differ, in a long word, and numbers never; a short form or an acronym
belongs to a longer name only if it could stand for no other one, and a document has both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from graph_service.extraction import lexicon
from graph_service.extraction.base import LITERALS

LEGAL_FORMS = frozenset(
    "inc corp corporation ltd limited llc llp plc co company gmbh ag kg ohg se ev bv nv vof sa sarl spa ab oy".split()
)
_SHORTEST, _SHORTEST_ALONE = 5, 7
"""Letters of a word of which one may differ, beside others that are the same, and alone."""
_SHORTEST_FORM = 3
_SHORTEST_ACRONYM = 2
_KNOWN = (lexicon.FIRST_NAMES, lexicon.PLACES, lexicon.ORGANISATIONS)


@dataclass(frozen=True, slots=True)
class Named:
    """A name, the entity that it belongs to so far and as what that one is shown, and how often the name is mentioned."""

    id: int
    type: str
    key: str
    text: str
    entity_id: int
    shown: str
    by_hand: bool
    mentions: int

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.key.split())


Pair = tuple[Named, Named]


class Groups:
    """Names that are one, by union and find; what was parted by hand is never joined."""

    def __init__(self, names: Iterable[Named]) -> None:
        self._names = {name.id: name for name in names}
        self._parent = {identity: identity for identity in self._names}
        self._hand = {name.id: name.entity_id for name in self._names.values() if name.by_hand}
        first: dict[int, Named] = {}
        for name in self._names.values():
            if name.by_hand:
                self.join(first.setdefault(name.entity_id, name), name)

    def join(self, one: Named, other: Named) -> None:
        a, b = self.find(one.id), self.find(other.id)
        hands = {self._hand[root] for root in (a, b) if root in self._hand}
        if a == b or len(hands) > 1:
            return
        self._parent[b] = a
        if hands:
            self._hand[a] = hands.pop()

    def find(self, identity: int) -> int:
        """Return the name that stands for a name's group so far."""
        while self._parent[identity] != identity:
            self._parent[identity] = self._parent[self._parent[identity]]
            identity = self._parent[identity]
        return identity

    def __iter__(self) -> Iterator[list[Named]]:
        groups = defaultdict[int, list[Named]](list)
        for name in self._names.values():
            groups[self.find(name.id)].append(name)
        return iter(groups.values())


class Resolution:
    """Groups names by their forms and spellings; then, by the documents of the names `asked`, by short forms and acronyms."""

    def __init__(self, names: Sequence[Named]) -> None:
        self._groups = Groups(names)
        by_type = defaultdict[str, list[Named]](list)
        for name in names:
            if name.type not in LITERALS:
                by_type[name.type].append(name)
        for some in by_type.values():
            for pair in (*_same_form(some), *_misspelt(some)):
                self._groups.join(*pair)
        candidates = [
            candidate
            for type_, some in by_type.items()
            for candidate in (_short_forms(some) if type_ == "person" else _acronyms(some))
        ]
        # Longer forms come first: the names that they join are one person for the shorter forms.
        self._candidates = sorted(
            candidates, key=lambda each: (len(each[0].words) == 1, len(each[0].words[0]) == 1, -len(each[0].words))
        )

    @property
    def asked(self) -> set[int]:
        return {name.id for short, full in self._candidates for name in (short, *full)}

    def groups(self, documents: Mapping[int, frozenset[str]]) -> list[list[Named]]:
        """Return the names in groups that are one entity each; `documents` are those in which a name stands."""
        for short, full in self._candidates:
            together = [name for name in full if documents[name.id] & documents[short.id]]
            if len({self._groups.find(name.id) for name in together}) == 1:
                self._groups.join(together[0], short)
        return list(self._groups)


def _same_form(names: Iterable[Named]) -> Iterator[Pair]:
    """Yield names that differ in legal form or article only: Acme Corp, Acme Corporation, the Acme."""
    first: dict[str, Named] = {}
    for name in names:
        words = list(name.words)
        while len(words) > 1 and words[-1] in LEGAL_FORMS:
            words.pop()
        form = "".join(word.replace("-", "").replace(".", "") for word in words if word != "the")
        if len(form) >= _SHORTEST_FORM or len(words) == len(name.words):
            yield first.setdefault(form, name), name


def _misspelt(names: Iterable[Named]) -> Iterator[Pair]:
    """Yield names of which one word differs in one letter, found by what is left without a letter."""
    blocks = defaultdict[tuple[str, ...], list[tuple[Named, str]]](list)
    for name in names:
        words = name.words
        for place, word in enumerate(words):
            if len(word) < (_SHORTEST if len(words) > 1 else _SHORTEST_ALONE) or not word.isalpha():
                continue
            for variant in {word, *(word[:cut] + word[cut + 1 :] for cut in range(1, len(word)))}:
                blocks[(*words[:place], f"{place}:{variant}", *words[place + 1 :])].append((name, word))
    for block in blocks.values():
        one, word = block[0]
        for other, another in block[1:]:
            if _one_letter(word, another) and not any(one.key in some and other.key in some for some in _KNOWN):
                yield one, other


def _one_letter(word: str, other: str) -> bool:
    if word[0] != other[0] or any(word in some and other in some for some in _KNOWN):
        return False
    return OSA.distance(word, other, score_cutoff=1) == 1


def _acronyms(names: Sequence[Named]) -> Iterator[tuple[Named, list[Named]]]:
    """Yield acronyms with the names whose words begin with their letters."""
    acronyms = [name for name in names if len(name.words) == 1 and name.text.replace(".", "").isupper()]
    written: dict[str, dict[int, Named]] = {name.key.replace(".", ""): {} for name in acronyms}
    for name in names:
        words = [word for word in name.words if word not in lexicon.LINKS and word not in lexicon.PARTICLES]
        for some in (words, [word for word in words if word not in LEGAL_FORMS], list(name.words)):
            initials = "".join(word[0] for word in some)
            if len(some) >= _SHORTEST_ACRONYM and initials in written:
                written[initials][name.id] = name
    for name in acronyms:
        if full := list(written[name.key.replace(".", "")].values()):
            yield name, full


def _short_forms(names: Sequence[Named]) -> Iterator[tuple[Named, list[Named]]]:
    """Yield persons who are named by a first name, a last name, or an initial, with those who may be meant."""
    by_word = defaultdict[str, list[Named]](list)
    for name in names:
        if len(name.words) > 1 and len(name.words[0]) > 1:
            for word in {name.words[0], name.words[-1]}:
                by_word[word].append(name)
    for name in names:
        words = name.words
        full = by_word.get(words[-1], [])
        if len(words) > 1 and len(words[0]) == 1:
            full = [other for other in full if other.words[-1] == words[-1] and other.words[0][0] == words[0]]
        elif len(words) > 1:
            full = [other for other in full if _shortened(words, other.words)]
        if full:
            yield name, full


def _shortened(words: tuple[str, ...], full: tuple[str, ...]) -> bool:
    """Say whether a name is another one without what stands before or in the middle: de Vries, Anna J. de Vries."""
    if len(words) >= len(full):
        return False
    return full[-len(words) :] == words or (words[0] == full[0] and words[-1] == full[-1])


def spoken(group: Sequence[Named]) -> Named:
    """Return the name by which a group is shown: of several words if there is one, and mentioned most."""
    return max(
        group, key=lambda name: (len(name.words) > 1, len(name.words[0]) > 1, name.mentions, len(name.text), -name.id)
    )

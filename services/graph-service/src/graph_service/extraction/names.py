"""Names by their capitals: where they begin and end, and what their words say about the kind of thing that they name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from graph_service.extraction import lexicon
from service_kit.statements.facts import ALL_STOP_WORDS
from service_kit.statements.normalisation import normalised
from service_kit.statements.stop_words import STOP_WORDS

_TOKEN = re.compile(r"(?:[^\W\d_]\.){2,8}|[^\W_]+(?:[-'’&][^\W_]+)*")
_POSSESSIVE = ("'s", "’s")
_HEADS = (
    lexicon.ORGANISATION_HEADS
    | lexicon.EVENT_HEADS
    | lexicon.LAW_HEADS
    | {"republic", "kingdom", "house", "state", "states", "gulf", "isle", "people"}
)
_NO_BEGINNING = lexicon.NO_NAMES - lexicon.FIRST_NAMES
_LONGEST = 8
"""Words of a name."""
_TITLE_WORDS, _TITLE_SHARE = 4, 0.8
"""In a line of so many words, of which so many are capitalised, a capital says nothing."""
_NOUNS_CAPITALISED = frozenset({"de", "lb"})
"""Languages in which every noun is written with a capital."""
_ACRONYM = (2, 6)
NAME = "other"
"""The type of a name of which nothing more is known."""


_BEFORE_CAPITAL = (": ", ": “", ': "', "“", "\n", "\t", "| ", "- ", "* ")
"""After these a word has a capital as that of a sentence has: in what somebody says, in lines, cells and items of lists."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run of capitalised words; `sure` unless its capital may be that of a sentence, a title or a German noun.

    `plain` where it is of a title or a noun: there any word may have one.

    `type` is what its own words say, `hint` what stands beside it says; empty where they say nothing.
    """

    start: int
    end: int
    words: tuple[str, ...]
    sure: bool
    plain: bool
    type: str
    hint: str

    @property
    def key(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, and as it stands in a name's key."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    text: str
    word: str
    first: bool
    stop: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


def key_of(name: str) -> str:
    """Return what all spellings of a name have in common: its words without their case, accents and title."""
    words = [token.word for token in _tokens(name, 0, len(name), ())]
    while len(words) > 1 and words[0] in lexicon.HONORIFICS:
        words.pop(0)
    return " ".join(words)


def words_of(text: str) -> Iterator[Word]:
    """Yield the words of a text: a name's key is those of its words, with one space between."""
    return (Word(token.text, token.word) for token in _tokens(text, 0, len(text), ()))


def candidates(text: str, start: int, end: int, language: str) -> list[Candidate]:
    """Return what may be names in the sentence from `start` to `end`."""
    tokens = list(_tokens(text, start, end, STOP_WORDS.get(language, ALL_STOP_WORDS)))
    words = [token for token in tokens if token.text[0].isalpha()]
    capitals = sum(token.capital for token in words)
    unsure = language in _NOUNS_CAPITALISED or (len(words) >= _TITLE_WORDS and capitals >= _TITLE_SHARE * len(words))
    found = []
    for run in _runs(tokens, text, unsure):
        candidate = _candidate(text, tokens, run, unsure)
        if candidate is not None:
            found.append(candidate)
    return found


def _tokens(text: str, start: int, end: int, stop_words: Collection[str]) -> Iterator[_Token]:
    first = True
    for match in _TOKEN.finditer(text, start, end):
        written = match.group()
        if written.endswith(_POSSESSIVE):
            written = written[:-2]
        if written:
            word = normalised(written).rstrip(".")
            initial = len(written) == 1 and text.startswith(".", match.end())
            stop = word in stop_words and not initial
            begins = first or text.endswith(_BEFORE_CAPITAL, 0, match.start())
            yield _Token(match.start(), match.start() + len(written), written, word, begins, stop)
            first = False


def _runs(tokens: Sequence[_Token], text: str, unsure: bool) -> Iterator[tuple[int, int]]:
    """Yield first and last place of each run of capitalised words, with the small words that names have inside."""
    place = 0
    while place < len(tokens):
        if not _begins(tokens[place]):
            place += 1
            continue
        last = place
        while last - place < _LONGEST:
            following = _continued(tokens, text, place, last, unsure)
            if following is None:
                break
            last = following
        yield place, last
        place = last + 1


def _begins(token: _Token) -> bool:
    return token.capital and (not token.stop or _is_acronym(token))


def _continued(tokens: Sequence[_Token], text: str, first: int, last: int, unsure: bool) -> int | None:
    """Return the place of the next word of the name, None where it ends."""
    place = last + 1
    linked = False
    while place < len(tokens) and place - last <= 3:
        before, token = tokens[place - 1], tokens[place]
        between = text[before.end : token.start]
        abbreviated = len(before.text) == 1 or before.word in lexicon.HONORIFICS
        if between != " " and not (between == ". " and abbreviated and before.capital):
            return None
        if token.capital:
            if token.stop and not linked and len(token.text) > 1 and not _is_acronym(token):
                return None
            return place
        run = tokens[first : last + 1]
        # "Hund von Anna" is no name, where every noun has a capital.
        of_person = token.word in lexicon.PARTICLES and (not unsure or run[0].word in lexicon.FIRST_NAMES)
        if of_person or (token.word in lexicon.LINKS and any(t.word in _HEADS for t in run)):
            linked = True
            place += 1
            continue
        return None
    return None


def _candidate(text: str, tokens: Sequence[_Token], run: tuple[int, int], unsure: bool) -> Candidate | None:
    first, last = run
    if tokens[first].first and first < last and _only_begins(tokens[first : last + 1]):
        first += 1
    titled = False
    while first < last and tokens[first].word in lexicon.HONORIFICS:
        titled, first = True, first + 1
    if tokens[first].word in lexicon.HONORIFICS:
        return None
    while first < last and tokens[first].word in _NO_BEGINNING and not _kept_within(tokens, first, last):
        first += 1
    while last > first and tokens[last].word in lexicon.NO_NAMES and tokens[last].word not in lexicon.PLACES:
        last -= 1
    words = tuple(token.word for token in tokens[first : last + 1])
    if (
        len(words) == 1 and (words[0] in lexicon.NO_NAMES or words[0] in lexicon.ORGANISATION_ENDS or len(words[0]) < 2)
    ) or not any(words):
        return None
    before = tokens[first - 1] if first else None
    after = tokens[last + 1] if last + 1 < len(tokens) else None
    own = "person" if titled else _own_type(tokens[first : last + 1], words)
    if after is not None and after.word in lexicon.STATES and after.text.isupper():
        own = "place" if text[tokens[last].end : after.start] == ", " else own
    at_start = tokens[first].first
    return Candidate(
        tokens[first].start,
        tokens[last].end,
        words,
        titled or not (unsure or at_start),
        unsure,
        own,
        _hint(tokens[first : last + 1], before, after),
    )


def _kept_within(tokens: Sequence[_Token], first: int, last: int) -> bool:
    """Say whether a word that is no name by itself belongs to one: the Dutch Ministry, Christian Aid, US Bank."""
    rest = {token.word for token in tokens[first + 1 : last + 1]}
    whole = " ".join(token.word for token in tokens[first : last + 1])
    return bool(rest & (_HEADS | lexicon.ORGANISATION_ENDS)) or whole in lexicon.PLACES


def _only_begins(tokens: Sequence[_Token]) -> bool:
    """Say whether the first word of a sentence stands before a name, and is none of it."""
    first, rest = tokens[0], " ".join(token.word for token in tokens[1:])
    if first.word in lexicon.FIRST_NAMES or first.word in lexicon.PLACE_BEGINNINGS:
        return False
    if first.stop or first.word in lexicon.BEGINNINGS:
        return " ".join(token.word for token in tokens) not in lexicon.PLACES
    return rest in lexicon.PLACES or rest in lexicon.ORGANISATIONS or tokens[1].word in lexicon.FIRST_NAMES


def _is_acronym(token: _Token) -> bool:
    return token.text.isupper() and _ACRONYM[0] <= len(token.text) <= _ACRONYM[1]


def _own_type(tokens: Sequence[_Token], words: Sequence[str]) -> str:
    """Return what a name's own words say, "" if they say nothing."""
    whole, last, rest = " ".join(words), words[-1], set(words[1:])
    if whole in lexicon.PLACES:
        return "place"
    if whole in lexicon.ORGANISATIONS:
        return "organisation"
    if len(words) > 1:
        if last in lexicon.ORGANISATION_ENDS:
            return "organisation"
        if set(words) & lexicon.EVENT_HEADS and words[0] not in lexicon.FIRST_NAMES:
            return "event"
        if last in lexicon.LAW_HEADS or words[0] in lexicon.LAW_HEADS:
            return "law"
        if last in lexicon.PLACE_HEADS or (words[0] in lexicon.PLACE_HEADS and not rest & lexicon.ORGANISATION_HEADS):
            return "place"
        if set(words) & lexicon.ORGANISATION_HEADS:
            return "organisation"
        if words[0] in lexicon.PLACE_BEGINNINGS and words[0] not in lexicon.FIRST_NAMES:
            return "place"
        if any(len(token.text) == 1 for token in tokens[:-1]) or rest & lexicon.PARTICLES:
            return "person"
    if words[0] in lexicon.FIRST_NAMES and len(words) <= 4:
        return "person"
    return ""


def _hint(name: Sequence[_Token], before: _Token | None, after: _Token | None) -> str:
    """Return what stands around a name, and its form, make likely."""
    if (
        len(name) == 1
        and before is not None
        and before.capital
        and name[0].word in lexicon.STATES
        and name[0].text.isupper()
    ):
        return "place"
    if len(name) == 1 and _is_acronym(name[0]):
        return "organisation" if before and before.word in lexicon.AGENT_CUES else ""
    if after is not None and after.word in lexicon.PERSON_CUES and not after.capital:
        return "person"
    if before is not None and before.word in lexicon.PLACE_CUES:
        return "place"
    plain = (token.text.isalpha() and not token.text.isupper() and token.word not in lexicon.COMMON for token in name)
    if len(name) in (2, 3) and all(plain):
        # Two unknown words in a row are somebody's names more often than anything else.
        return "person"
    return ""

"""The entities that a text names, by the keys under which their names are stored: at each place the longest name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from graph_service.extraction.base import LITERALS
from graph_service.extraction.literals import literals
from graph_service.extraction.names import Word, words_of
from graph_service.tables import Entity, Name
from service_kit.statements.facts import ALL_STOP_WORDS

_MOST_WORDS = 200
_LONGEST_NAME = 8
"""Words of a text that are looked at, and of a name."""
_SHORT_ACRONYM = 3
"""Letters of an acronym that may be a word as well."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Entities of a text, those that are mentioned least first; where each is named; and the words there, as keys have them.

    Two that are at the same place have the same name, and the text means one of them.
    """

    entities: list[Entity]
    places: dict[int, int]
    words: frozenset[str]


async def recognised(
    session: AsyncSession, collection: str, text: str, types: Collection[str], most: int
) -> Recognised:
    """Return at most `most` entities of a collection; names are of `types`, or are values as they stand in the text."""
    words = list(words_of(text))[:_MOST_WORDS]
    values = {(found.type, found.key): -place for place, found in enumerate(literals(text), 1)}
    keys = {key for place in range(len(words)) for _, key in _phrases(words, place)} | {key for _, key in values}
    # With the types the index has all of its columns.
    known = select(Name).where(Name.collection == collection, Name.type.in_({*types, *LITERALS}), Name.key.in_(keys))
    names = defaultdict[str, list[Name]](list)
    for row in await session.scalars(known):
        names[row.key].append(row)
    places = {row.entity_id: values[row.type, key] for key in names for row in names[key] if (row.type, key) in values}
    used: set[str] = set()
    cased = any(word.text[0].isupper() for word in words[1:])
    place = 0
    while place < len(words):
        length, entities = _longest(words, place, names, cased)
        for entity in entities:
            places.setdefault(entity, place)
        used |= {word.key for word in words[place : place + length]}
        place += length or 1
    least_first = select(Entity).where(Entity.id.in_(places)).order_by(Entity.mentions, Entity.id).limit(most)
    return Recognised(list(await session.scalars(least_first)), places, frozenset(used))


def _phrases(words: Sequence[Word], place: int) -> Iterator[tuple[int, str]]:
    """Yield length and key of what may be a name at a place, the longest first."""
    for length in range(min(_LONGEST_NAME, len(words) - place), 0, -1):
        yield length, " ".join(word.key for word in words[place : place + length])


def _longest(words: Sequence[Word], place: int, names: dict[str, list[Name]], cased: bool) -> tuple[int, set[int]]:
    """Return the words that the longest name at a place has, and whose it is; 0 if there is none."""
    for length, key in _phrases(words, place):
        here = words[place : place + length]
        named = (row for row in names.get(key, ()) if row.type not in LITERALS)
        if entities := {row.entity_id for row in named if _is_name(here, row.text, cased)}:
            return length, entities
    return 0, set()


def _is_name(words: Sequence[Word], name: str, cased: bool) -> bool:
    """Say whether words are a name, and not only spelled alike: "us" is not "US", nor is "will" Will.

    In a text without capitals, which is not `cased`, a single word may be a name all the same.
    """
    if len(words) > 1:
        return not all(word.key in ALL_STOP_WORDS for word in words)
    written = words[0].text
    if words[0].key in ALL_STOP_WORDS or (name.isupper() and len(name) <= _SHORT_ACRONYM):
        return len(written) > 1 and written.isupper() and written == name
    return not (cased and name[:1].isupper() and written.islower())

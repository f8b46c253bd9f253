"""Transcripts of meetings: who speaks, whose names stand in them, and which words say what a sentence is about."""

from __future__ import annotations

import re
from collections.abc import Collection

from llm_providers.sentences import STOP_WORDS, words

_SPEAKER = re.compile(
    r"^(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?([^\W\d_a-z][\w.'-]*(?: [^\W\d_a-z][\w.'-]*){0,2})\s*(?:\([^)]*\))?:\s+"
)
_LABELS = frozenset(
    """present absent apologies attendees participants chair date time place location agenda subject topic title note notes action
    actions todo decision decisions minutes anwesend abwesend entschuldigt teilnehmer vorsitz datum ort zeit tagesordnung protokoll
    aufgabe aufgaben beschluss aanwezig afwezig afgemeld voorzitter plaats tijd actie besluit notulen""".split()
)
"""Words before a colon that are not a speaker's name."""
NO_NAMES = STOP_WORDS | frozenset(
    """actually all also although anyone anything anybody because both certainly each everybody everyone everything exactly excellent
    finally fine first good great hello here hm honestly just let lovely maybe next nobody no none nothing now oh ok okay once
    perfect please probably really right second see somebody someone something sorry still super sure thank thanks third today
    tomorrow true until us very well what yeah yes yesterday monday tuesday wednesday thursday friday saturday sunday danke gut ja
    nein genau klar bitte gern gerne also dann jetzt prima goed nee graag nu wir ihr sie man wij jij jullie iedereen niemand
    jemand keiner alle absolutely again alright amazing brilliant cheers colleagues congratulations correct definitely fair folks
    friends gentlemen guys ideally indeed ladies later listen quick quickly team welcome wonderful natürlich natuurlijk
    leute kollegen mensen""".split()
)
"""Words at the beginning of a sentence, before a comma or a verb, that are not a name either."""
LIGHT = NO_NAMES | frozenset(
    """ich mein meine meinen dein deine unser unsere ihre etwas schon noch auch mooi afgesproken besloten beschlossen
    vereinbart einverstanden akkoord about after before around already perhaps everybody it them this that these
    those one ones her him so there das es ihn sie ihm dat het hem die dit am shall happy glad agreed decided
    propose suggest proposal suggestion ll ve re don didn ask asked bring can come could done find get give go
    going got help home it'll i'll i'd i'm i've know let's look make me myself need put said say send take talk
    tell that's thing things think want way whether week month you'll end middle january february march april june
    july august september october november december tonight morning afternoon evening weekend werde wird mache
    machen mach kann kannst morgen heute bis montag dienstag mittwoch donnerstag freitag samstag sonntag woche mir
    dir euch sollte zal gaat doe doen kun kan vraag wel nog hij vandaag maandag dinsdag woensdag donderdag vrijdag""".split()
)
"""Words that say nothing of what is to be done."""
_LIGHT_STEMS = frozenset(words(" ".join(LIGHT)))


def speaker(sentence: str) -> str | None:
    """Return who says this line of a transcript, if it is one."""
    match = _SPEAKER.match(sentence)
    return match.group(1) if match and match.group(1).lower() not in _LABELS else None


def listed(sentence: str) -> frozenset[str]:
    """Return the words of the names behind "Present:" and the like, in lower case."""
    match = _SPEAKER.match(sentence)
    named = sentence[match.end() :] if match and match.group(1).lower() in _LABELS else ""
    return frozenset(word.lower() for word in re.findall(r"[^\W\d_a-z][\w'-]+", named))


def without_speaker(sentence: str) -> str:
    return _SPEAKER.sub("", sentence)


def content(said: str, names: Collection[str] = ()) -> frozenset[str]:
    """Return the stems of the words that tell what a sentence is about."""
    return frozenset(word for word in words(said) if word not in _LIGHT_STEMS and word not in names)


def named(words_of_name: str, names: Collection[str]) -> str | None:
    """Return the words that are a name's, None if they are nobody's."""
    found = [word for word in words_of_name.split() if _is_name(word.lower(), names)]
    return " ".join(found) or None


def _is_name(word: str, names: Collection[str]) -> bool:
    return word in names if names else NO_NAMES.isdisjoint((word, word.partition("'")[0]))

"""What decisions, tasks, owners and due dates look like, in English, Dutch and German."""

from __future__ import annotations

import re

_SHORTEST = 4
"""Words of a task: "I will." only answers one."""
_SPEAKER = re.compile(
    r"^(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?([A-Z][\w.'-]*(?: [A-Z][\w.'-]*){0,2})\s*(?:\([^)]*\))?:\s+"
)
_DECISION = re.compile(
    r"\b(?:we(?: have|'ve)? (?:decided|agreed|resolved|settled|chose|approved)|decided (?:to|that|on|against)|decision(?: is|:)|"
    r"(?:it (?:is|was)|that(?:'s| is)|then it is) (?:agreed|decided|settled|approved)|(?:agreed|decided)(?:(?:,? then)?(?=[:,.])| to| that| on)|"
    r"approved|"
    r"(?:we'll|we will|let's|let us) (?:go with|stick with|keep|drop|adopt|move ahead|postpone|cancel)|resolved that|"
    r"besloten|besluit|afgesproken|akkoord met|wordt goedgekeurd|goedgekeurd|beschlossen|entschieden|vereinbart|genehmigt)\b",
    re.IGNORECASE,
)
_PROMISE = re.compile(
    r"\b(?:i'll|i will|i can|i am going to|i'm going to|let me|ik zal|ik ga|ik stuur|ich werde)\b", re.IGNORECASE
)
_ADDRESSED = re.compile(
    r"^([A-Z][\w'-]{1,40}(?: [A-Z][\w'-]{1,40})?), (?:(?:please|kun je|wil je|kannst du|bitte)\b|(?:can|could|will|would) you\b|"
    r"(?!(?:the|a|an|i|we|it|that|this|there|what|how|is|are|do|did|have|you|thanks|yes|no|and|but)\b)[a-z]{3,} )"
)
_ASSIGNED = re.compile(
    r"\b([A-Z][\w'-]{1,40}(?: [A-Z][\w'-]{1,40})?) (?:will|shall|should|must|needs? to|is to|has to|takes care of|zal|moet|gaat|wird|"
    r"soll|muss)\b"
)
_TASK_MARK = re.compile(
    r"^(?:\W*\b(?:action|to ?do|actie|actiepunt|aufgabe|next step)s?\b\s*[:\-–]|\[ \])\s*", re.IGNORECASE
)
_NOT_NAMES = frozenset(
    """we it this that there they you he she everyone everybody nobody what who which the our my your his her as if so
    and but then when all today tomorrow monday tuesday wednesday thursday friday saturday sunday dat het er wij dit
    das es wir ik jij je u hij zij ich er sie ihr yes no okay ok fine good thanks please let ja nee nein not nothing something third second first""".split()
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|maandag|dinsdag|woensdag|donderdag|vrijdag|montag|dienstag|mittwoch|donnerstag|freitag"
_MONTH = (
    r"jan(?:uary|uari|uar)?|feb(?:ruary|ruari|ruar)?|mar(?:ch)?|maart|märz|apr(?:il)?|may|mei|mai|june?|juni|july?|juli|"
    r"aug(?:ust|ustus)?|sep(?:t(?:ember)?)?|oct(?:ober)?|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?|dez(?:ember)?"
)
_ORDINAL = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|"
    r"sixteenth|seventeenth|eighteenth|nineteenth|(?:twenty|thirty)(?:-(?:first|second|third|fourth|fifth|sixth|seventh|"
    r"eighth|ninth))?|twentieth|thirtieth)"
)
_DATE = (
    rf"(?:(?:next|this|coming|volgende|deze|nächsten)\s+)?(?:{_DAY})(?:,?\s+(?:the\s+)?(?:\d{{1,2}}(?:st|nd|rd|th|\.)?|{_ORDINAL})"
    rf"(?:\s+(?:of\s+)?(?:{_MONTH}))?)?|"
    rf"\d{{4}}-\d{{2}}-\d{{2}}|(?:the\s+)?(?:\d{{1,2}}(?:st|nd|rd|th|\.)?|{_ORDINAL})\s+(?:of\s+)?(?:{_MONTH})(?:\s+\d{{4}})?|"
    rf"(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?|"
    rf"(?:the )?end of (?:the |this |next )?(?:day|week|month|quarter|year)|(?:next|this|volgende|deze) (?:week|month|maand)|"
    rf"tomorrow|tonight|today|noon|morgen|vandaag|heute"
)
_LIMIT = r"(?:by|before|until|till|due(?: on| by)?|no later than|voor|uiterlijk|tegen|bis(?: zum)?)"
_DUE = re.compile(rf"\b(?:{_LIMIT}\s+|on\s+|am\s+)?((?:{_DATE})(?:,\s+(?:{_DATE}))?)\b", re.IGNORECASE)
_BOUNDED = re.compile(rf"\b{_LIMIT}\s+(?:{_DATE})\b", re.IGNORECASE)


def speaker(sentence: str) -> str | None:
    """Return who says this line of a transcript, if it is one."""
    match = _SPEAKER.match(sentence)
    return match.group(1) if match else None


def without_speaker(sentence: str) -> str:
    return _SPEAKER.sub("", sentence)


def is_decision(sentence: str) -> bool:
    return _DECISION.search(sentence) is not None and not sentence.rstrip().endswith("?")


def is_action(sentence: str, said_by: str | None) -> bool:
    """Say whether somebody is bound to do something: a promise by a known speaker, an order, or a marked to-do."""
    if _TASK_MARK.match(sentence):
        return True
    if len(sentence.split()) < _SHORTEST or is_decision(sentence):
        return False
    promised = _PROMISE.search(sentence) is not None and said_by is not None
    return promised or assignee(sentence) is not None


def assignee(sentence: str) -> str | None:
    """Return the person a sentence puts a task on, if it names one: whom it addresses, or of whom it speaks."""
    task = _TASK_MARK.sub("", sentence)
    for match in (*_ADDRESSED.finditer(task), *_ASSIGNED.finditer(task)):
        name = match.group(1)
        if name.split()[0].lower() not in _NOT_NAMES:
            return name
    return None


def owner(sentence: str, said_by: str | None) -> str | None:
    named = assignee(sentence)
    if named is not None:
        return named
    return said_by if _PROMISE.search(sentence) else None


def due(sentence: str) -> str | None:
    """Return the date as it was said: what day "Friday" was is not known here."""
    match = _DUE.search(sentence)
    return match.group(1) if match else None


def is_time_limit(sentence: str) -> bool:
    """Say whether a sentence sets a limit for what was said just before it."""
    return _BOUNDED.search(sentence) is not None

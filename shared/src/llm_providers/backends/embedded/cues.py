"""What decisions, tasks, owners and due dates look like, in English, Dutch and German."""

from __future__ import annotations

import re

_SPEAKER = re.compile(
    r"^(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?([A-Z][\w.'-]*(?: [A-Z][\w.'-]*){0,2})\s*(?:\([^)]*\))?:\s+"
)
_DECISION = re.compile(
    r"\b(?:we(?: have|'ve)? (?:decided|agreed|resolved|settled|chose|approved)|decided (?:to|that|on|against)|decision(?: is|:)|"
    r"(?:it (?:is|was)|that(?:'s| is)|then it is) (?:agreed|decided|settled|approved)|agreed(?:[:,.]| to| that| on)|approved|"
    r"(?:we'll|we will|let's|let us) (?:go with|stick with|keep|drop|adopt|move ahead|postpone|cancel)|resolved that|"
    r"besloten|besluit|afgesproken|akkoord met|wordt goedgekeurd|goedgekeurd|beschlossen|entschieden|vereinbart|genehmigt)\b",
    re.IGNORECASE,
)
_PROMISE = re.compile(
    r"\b(?:i'll|i will|i can|i am going to|i'm going to|let me|ik zal|ik ga|ik stuur|ich werde)\b", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"\b([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)(?:,? (?:you|please|can you|could you|will you)\b| (?:will|shall|should|must|needs? to|is to|"
    r"has to|takes care of|to (?=[a-z]+ )|zal|moet|gaat|wird|soll|muss)\b)"
)
_TODO = re.compile(
    r"^(?:\W*\b(?:action|to ?do|actie|actiepunt|aufgabe|next step)s?\b\s*[:\-–]|\[ \])\s*", re.IGNORECASE
)
_NOT_NAMES = frozenset(
    """we it this that there they you he she everyone everybody nobody what who which the our my your his her as if so
    and but then when all today tomorrow monday tuesday wednesday thursday friday saturday sunday dat het er wij dit
    das es wir""".split()
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|maandag|dinsdag|woensdag|donderdag|vrijdag|montag|dienstag|mittwoch|donnerstag|freitag"
_MONTH = (
    r"jan(?:uary|uari|uar)?|feb(?:ruary|ruari|ruar)?|mar(?:ch)?|maart|märz|apr(?:il)?|may|mei|mai|june?|juni|july?|juli|"
    r"aug(?:ust|ustus)?|sep(?:t(?:ember)?)?|oct(?:ober)?|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?|dez(?:ember)?"
)
_DUE = re.compile(
    rf"\b(?:(?:by|before|until|till|due(?: on| by)?|no later than|on|voor|uiterlijk|tegen|bis(?: zum)?|am)\s+)?"
    rf"((?:(?:next|this|coming|volgende|deze|nächsten)\s+)?(?:{_DAY})(?:,?\s+\d{{1,2}}\.?\s+(?:{_MONTH}))?|"
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?:{_MONTH})(?:\s+\d{{4}})?|"
    rf"(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?|"
    rf"(?:the )?end of (?:the |this |next )?(?:day|week|month|quarter|year)|(?:next|this|volgende|deze) (?:week|month|maand)|"
    rf"tomorrow|tonight|today|noon|morgen|vandaag|heute)\b",
    re.IGNORECASE,
)


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
    if _TODO.match(sentence):
        return True
    promised = _PROMISE.search(sentence) is not None and said_by is not None
    return (promised or assignee(sentence) is not None) and not is_decision(sentence)


def assignee(sentence: str) -> str | None:
    """Return the person a sentence puts a task on, if it names one."""
    for match in _ASSIGNED.finditer(_TODO.sub("", sentence)):
        name = match.group(1)
        if name.lower() not in _NOT_NAMES and name.split()[0].lower() not in _NOT_NAMES:
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

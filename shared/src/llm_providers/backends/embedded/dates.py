"""Due dates as they are said, in English, Dutch and German."""

from __future__ import annotations

import re

_DAY = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|"
    r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
)
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
    rf"(?:(?:next|this|coming|volgende|deze|nächsten)\s++)?(?:{_DAY})(?:,?\s++(?:the\s++)?(?:\d{{1,2}}(?:st|nd|rd|th|\.)?|{_ORDINAL})"
    rf"(?:\s++(?:of\s++)?(?:{_MONTH}))?)?|"
    rf"\d{{4}}-\d{{2}}-\d{{2}}|(?:the\s++)?(?:\d{{1,2}}(?:st|nd|rd|th|\.)?|{_ORDINAL})\s++(?:of\s++)?(?:{_MONTH})(?:\s++\d{{4}})?|"
    rf"(?:{_MONTH})\s++\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s++\d{{4}})?|"
    rf"(?:the )?(?:beginning|start|middle|end) of (?:the |this |next )?(?:day|week|month|quarter|year|{_MONTH})|(?:ende|mitte|anfang|eind|begin|half) (?:{_MONTH})|"
    rf"(?:next|this|volgende|deze|nächste|nächsten|diese|dieser) (?:week(?:end)?|month|maand|woche|monat|year|jahr|jaar)|"
    rf"(?:this|tomorrow) (?:morning|afternoon|evening)|tomorrow|tonight|today|noon|morgen|vandaag|heute|overmorgen|übermorgen"
)
_LIMIT = r"(?:by|before|until|till|due(?: on| by)?|no later than|voor|uiterlijk|tegen|bis(?: zum)?|say|spätestens)"
_DATES = rf"(?:{_DATE})(?:,\s++(?:{_DATE}))?"
_DUE = re.compile(rf"\b(?:{_DATES})\b", re.IGNORECASE)
_BOUNDED = re.compile(
    rf"\b(?:{_LIMIT}\s++)((?:{_DATES})|(?:the\s++)?{_ORDINAL}(?=\s*(?:[.,;!?]|$))|(?:{_MONTH}))\b|\bon\s++(the\s++{_ORDINAL})(?=\s*(?:[.,;!?]|$))",
    re.IGNORECASE,
)


def due(said: str) -> str | None:
    """Return the date in its own words, one behind "by" or "before" rather than another; what day "Friday" was is not known here."""
    if (limit := limit_in(said)) is not None:
        return limit
    match = _DUE.search(said)
    return match.group() if match else None


def limit_in(said: str) -> str | None:
    """Return the date by which something is to be done."""
    match = _BOUNDED.search(said)
    return match.group(1) or match.group(2) if match else None

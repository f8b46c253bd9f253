"""What a document is called: by its own first heading, else by what the file says, never by a number or a date."""

from __future__ import annotations

import re

from doc_processor.markdown import one_line
from service_kit.outline import headings

_LONGEST = 300
_NO_NAME = re.compile(
    r"(?:[\W\d_]*|(?:page|seite|pagina|slide|folie|dia|sheet|blatt|blad|tabelle|chapter|kapitel)[\s\d]*|webvtt.*|untitled.*"
    r"|unbenannt.*|naamloos.*|document\d*|dokument\d*|presentation\d*|powerpoint.presentation|microsoft (?:word|excel|powerpoint).*"
    r"|title|titel|cover|contents|inhalt|inhoud|table of contents|\(no subject\)|.{1,200}\.(?:docx?|xlsx?|pptx?|pdf|indd|tex|dvi|qxd|rtf|odt))",
    re.IGNORECASE | re.DOTALL,
)
_DATE = re.compile(r"[\W\d]*(?:\b[^\W\d]{3,10}\b\.?[\W\d]*){0,2}")
_MONTHS = frozenset(
    """jan feb mar apr may jun jul aug sep oct nov dec mrt mei okt mai dez mär maa mon tue wed thu fri sat sun mo di mi do fr
    sa so ma di wo do vr za zo""".split()
)

_PAGE_NUMBER = re.compile(
    r"(?:page|seite|pagina|blz\.?|s\.|p\.)?[\s\d|–-]*+(?:of|von|van|de|/)?[\s\d]*+", re.IGNORECASE
)


def is_title(text: str) -> bool:
    """Whether a text can stand for a document: it is no number, date, page number, or what a program puts there."""
    text = one_line(text)
    if not text or _NO_NAME.fullmatch(text):
        return False
    words = re.findall(r"[^\W\d_]+", text.lower())
    return not (_DATE.fullmatch(text) and any(map(str.isdigit, text)) and all(word[:3] in _MONTHS for word in words))


def title_of(pages: list[str], *declared: str) -> str:
    """Return the first heading of a document's first pages, else the first of the `declared` titles that is one, else ""."""
    own = (each.title for number, text in enumerate(pages[:3]) for each in headings(text, first_page=number == 0))
    found = next((title for title in (*own, *declared) if is_title(title)), "")
    return one_line(found)[:_LONGEST]


def is_page_number(text: str) -> bool:
    """Whether a header or footer says nothing else."""
    return _PAGE_NUMBER.fullmatch(text.strip()) is not None

"""E-mail (RFC 5322, MIME): the headers people read, the body, and what is attached, as parts."""

from __future__ import annotations

import email
import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from email.utils import collapse_rfc2231_value, parsedate_to_datetime

from doc_processor import markdown
from doc_processor.hidden import HiddenText
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.parsers.html import to_markdown
from doc_processor.parsers.parts import Parts
from doc_processor.refusals import TooComplex, Unreadable
from doc_processor.text import decode, decode_declared, tidy
from doc_processor.titles import title_of

_HEADERS = ("From", "To", "Cc", "Date")
_BODIES = ("text/plain", "text/html")
_AS_MUCH = 0.5
"""Share of the words of the longest alternative; what is below is a stub, such as "your program does not show HTML"."""
_WORD, _ADDRESS = re.compile(r"\w+"), re.compile(r"https?://\S+")
_MAX_PARTS = 1000
_MAX_MULTIPARTS = 200
"""The standard library compares every line with the boundary of every part around it."""
_MAX_HEADER_BYTES = 65_536
_MULTIPART = re.compile(rb"^content-type:\s*+multipart/", re.IGNORECASE | re.MULTILINE)
_PART_HEADER = re.compile(rb"^content-(?:type|disposition):", re.IGNORECASE | re.MULTILINE)
_HEADER_ERRORS = (ValueError, IndexError, AttributeError, LookupError, TypeError, RecursionError)


def parse(upload: Upload, limits: ParseLimits) -> Opened:
    """Read the richer of alternative bodies, and what is attached as parts; nothing outside the message is looked at."""
    data = upload.path.read_bytes()
    _check(data)
    try:
        message = email.message_from_bytes(data, _class=EmailMessage, policy=default)
    except RecursionError as error:
        raise TooComplex("the parts of the message are nested too deeply") from error
    if not message.keys():
        raise Unreadable("the file has no mail headers")
    subject = _header(message, "Subject")
    hidden = HiddenText.of(limits)
    body = _Body(hidden)
    body.take(message)
    blocks = [markdown.heading(subject or "(no subject)", 1)]
    blocks.append("\n".join(f"- {name}: {value}" for name in _HEADERS if (value := _header(message, name))))
    blocks += body.blocks
    if message.defects:
        detail = "the message breaks the rules for mail; it was read as far as possible"
        body.notes.append(ParseWarning("damaged-mail", detail))
    properties = Properties(
        title=title_of([], subject), author=_header(message, "From"), created=_time(_header(message, "Date"))
    )
    names = [f"- {_name(part) or '(no name)'}" for part in body.attached]
    if names:
        blocks += [markdown.heading("Attachments", 2), "\n".join(names)]
    page = ParsedPage(tidy("\n\n".join(filter(None, blocks))), "eml")
    main = ReadyPages([page], (*body.notes, *hidden.warnings), properties)
    if not body.attached:
        return main
    parts = Parts(main, upload.path.parent, limits, open_as)
    for part in body.attached:
        parts.add(_name(part), part.get_content_type(), _bytes(part))
    return parts


def _check(data: bytes) -> None:
    if len(_MULTIPART.findall(data)) > _MAX_MULTIPARTS:
        raise TooComplex(f"the message has more than {_MAX_MULTIPARTS} parts that hold others")
    top, *blocks = data.replace(b"\r\n", b"\n").split(b"\n\n")
    long = [block for block in blocks if len(block) > _MAX_HEADER_BYTES]
    if len(top) > _MAX_HEADER_BYTES or any(map(_PART_HEADER.search, long)):
        raise TooComplex(f"the headers of the message, or of a part, are longer than {_MAX_HEADER_BYTES} bytes")


@dataclass(slots=True)
class _Body:
    """What a reader of the message sees first, in order, and the parts that come with it."""

    hidden: HiddenText
    blocks: list[str] = field(default_factory=list)
    attached: list[EmailMessage] = field(default_factory=list)
    notes: list[ParseWarning] = field(default_factory=list)
    pictures: int = 0

    def take(self, message: EmailMessage) -> None:
        pending = [message]
        seen = 0
        while pending:
            part = pending.pop()
            seen += 1
            if seen > _MAX_PARTS:
                detail = f"the message has more than {_MAX_PARTS} parts; the others were not read"
                self.notes.append(ParseWarning("parts-cut", detail))
                break
            inner = _inner(part)
            if part.get_content_type() == "multipart/alternative":
                pending += reversed([*self._richest(inner)])
            elif inner:
                pending += reversed(inner)
            else:
                self._leaf(part)
        if self.pictures:
            detail = f"{self.pictures} pictures in the message were not read"
            self.notes.append(ParseWarning("pictures-not-read", detail))

    def _leaf(self, part: EmailMessage) -> None:
        kind = part.get_content_type()
        if part.get_content_disposition() != "attachment" and kind.startswith("image/") and part["Content-ID"]:
            self.pictures += 1
        elif part.get_content_disposition() == "attachment" or _file_name(part) or kind not in _BODIES:
            if _bytes(part) or _file_name(part):
                self.attached.append(part)
        else:
            self.blocks.append(self._read(part))

    def _read(self, part: EmailMessage) -> str:
        text = _text(part)
        return to_markdown(text, self.hidden)[0] if part.get_content_type() == "text/html" else markdown.paragraph(text)

    def _richest(self, alternatives: list[EmailMessage]) -> list[EmailMessage]:
        """Return the alternative that says most, and what is no body; of two that say about as much the later, which is richer (RFC 2046, 5.1.4)."""
        bodies = [part for part in alternatives if _words(part) is not None]
        most = max((len(_words(part) or ()) for part in bodies), default=0)
        best = next((part for part in reversed(bodies) if len(_words(part) or ()) >= _AS_MUCH * most), None)
        return [part for part in alternatives if part is best or part not in bodies]


def _words(part: EmailMessage) -> frozenset[str] | None:
    """Return the words of an alternative's text, bodies within it included; None for one that is no text."""
    words: frozenset[str] = frozenset()
    found = False
    pending = [part]
    while pending:
        current = pending.pop()
        pending += _inner(current)
        kind = current.get_content_type()
        if kind in _BODIES and not _file_name(current):
            found = True
            text = _text(current)
            text = to_markdown(text, HiddenText())[0] if kind == "text/html" else text
            words |= frozenset(_WORD.findall(_ADDRESS.sub("", text)))
    return words if found else None


def _inner(part: EmailMessage) -> list[EmailMessage]:
    """Return the parts of a multipart; a forwarded message has none, so that its parts are not taken for ours."""
    payload = part.get_payload()
    if part.get_content_maintype() != "multipart" or not isinstance(payload, list):
        return []
    return [child for child in payload if isinstance(child, EmailMessage)]


def _bytes(part: EmailMessage) -> bytes:
    """Return what a part holds, decoded; of a forwarded message its source."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], EmailMessage):
        try:
            return payload[0].as_bytes()
        except (*_HEADER_ERRORS, UnicodeError):
            return b""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _name(part: EmailMessage) -> str:
    if name := _file_name(part):
        return name
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], EmailMessage):
        return f"Forwarded message: {_header(payload[0], 'Subject') or '(no subject)'}"
    return ""


def _time(written: str) -> str:
    """Return a mail's date in ISO 8601; "" if it is none."""
    try:
        return parsedate_to_datetime(written).isoformat()
    except _HEADER_ERRORS:
        return ""


def _text(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = part.get_content_charset()
    if charset and (text := decode_declared(data, charset)) is not None:
        return text
    return decode(data).text


def _file_name(part: EmailMessage) -> str:
    try:
        return markdown.one_line(collapse_rfc2231_value(part.get_filename() or ""))
    except _HEADER_ERRORS:
        return "(unreadable name)"


def _header(message: EmailMessage, name: str) -> str:
    # The header parser of the standard library still fails on some malformed headers.
    try:
        value = message[name]
        return markdown.one_line(str(value)) if value is not None else ""
    except _HEADER_ERRORS:
        return "(unreadable)"

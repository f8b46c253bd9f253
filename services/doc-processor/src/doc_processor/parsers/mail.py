"""E-mail (RFC 5322, MIME): the headers people read, the body, and the names of what is attached."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default
from email.utils import collapse_rfc2231_value

from doc_processor import markdown
from doc_processor.hidden import HiddenText
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, ReadyPages, Upload
from doc_processor.parsers.html import to_markdown
from doc_processor.refusals import TooComplex, Unreadable
from doc_processor.text import decode, tidy

_HEADERS = ("From", "To", "Cc", "Date")
_MAX_PARTS = 1000
_MAX_MULTIPARTS = 200
"""The standard library compares every line with the boundary of every part around it."""
_MAX_HEADER_BYTES = 65_536
_MULTIPART = re.compile(rb"^content-type:\s*+multipart/", re.IGNORECASE | re.MULTILINE)
_PART_HEADER = re.compile(rb"^content-(?:type|disposition):", re.IGNORECASE | re.MULTILINE)
_HEADER_ERRORS = (ValueError, IndexError, AttributeError, LookupError, TypeError, RecursionError)


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Text attachments are read; all others are only named. Nothing outside the message is looked at."""
    data = upload.path.read_bytes()
    _check(data)
    try:
        message = email.message_from_bytes(data, _class=EmailMessage, policy=default)
    except RecursionError as error:
        raise TooComplex("the parts of the message are nested too deeply") from error
    if not message.keys():
        raise Unreadable("the file has no mail headers")
    blocks = [markdown.heading(_header(message, "Subject") or "(no subject)", 1)]
    blocks.append("\n".join(f"- {name}: {value}" for name in _HEADERS if (value := _header(message, name))))
    notes: list[ParseWarning] = []
    hidden = HiddenText.of(limits)
    plain, rich, attached = _sort(message, notes, hidden)
    blocks += plain or [to_markdown(text, hidden)[0] for text in rich]
    for name, kind, text in attached:
        blocks.append(markdown.heading(f"Attachment: {name}", 2))
        blocks.append(markdown.paragraph(text) if text is not None else f"({kind}, not read)")
        if text is None:
            notes.append(ParseWarning("attachment-not-read", f"an attachment of type {kind} is named but not read"))
    if message.defects:
        notes.append(
            ParseWarning("damaged-mail", "the message breaks the rules for mail; it was read as far as possible")
        )
    notes += hidden.warnings
    return ReadyPages([ParsedPage(tidy("\n\n".join(filter(None, blocks))), "eml")], tuple(notes))


def _check(data: bytes) -> None:
    if len(_MULTIPART.findall(data)) > _MAX_MULTIPARTS:
        raise TooComplex(f"the message has more than {_MAX_MULTIPARTS} parts that hold others")
    top, *blocks = data.replace(b"\r\n", b"\n").split(b"\n\n")
    long = [block for block in blocks if len(block) > _MAX_HEADER_BYTES]
    if len(top) > _MAX_HEADER_BYTES or any(map(_PART_HEADER.search, long)):
        raise TooComplex(f"the headers of the message, or of a part, are longer than {_MAX_HEADER_BYTES} bytes")


def _sort(
    message: EmailMessage, notes: list[ParseWarning], hidden: HiddenText
) -> tuple[list[str], list[str], list[tuple[str, str, str | None]]]:
    """Sort the leaves into plain bodies, HTML bodies and attachments (name, type, text or None)."""
    plain: list[str] = []
    rich: list[str] = []
    attached: list[tuple[str, str, str | None]] = []
    for count, part in enumerate(_leaves(message)):
        if count >= _MAX_PARTS:
            notes.append(
                ParseWarning("parts-cut", f"the message has more than {_MAX_PARTS} parts; the others were not read")
            )
            break
        kind = part.get_content_type()
        name = _file_name(part)
        is_text = kind.startswith("text/")
        if part.get_content_disposition() == "attachment" or name or not is_text:
            text = _text(part) if is_text else None
            if text is not None and kind == "text/html":
                text = to_markdown(text, hidden)[0]
            attached.append((name or "(no name)", kind, text))
        elif kind == "text/html":
            rich.append(_text(part))
        else:
            plain.append(markdown.paragraph(_text(part)))
    return [text for text in plain if text.strip()], rich, attached


def _leaves(part: EmailMessage) -> list[EmailMessage]:
    """List the leaves in order; a forwarded message is one leaf, so that its parts are not taken for ours."""
    leaves: list[EmailMessage] = []
    pending = [part]
    while pending and len(leaves) <= _MAX_PARTS:
        current = pending.pop()
        payload = current.get_payload()
        if current.get_content_maintype() == "multipart" and isinstance(payload, list):
            pending += [child for child in reversed(payload) if isinstance(child, EmailMessage)]
        else:
            leaves.append(current)
    return leaves


def _text(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = part.get_content_charset()
    if charset:
        try:
            return data.decode(charset)
        except (LookupError, UnicodeDecodeError):
            pass
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

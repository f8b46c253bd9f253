"""Checks of zip containers (DOCX, PPTX, XLSX, OpenDocument, EPUB) before anything in them is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, NoReturn
from xml.parsers import expat

from doc_processor.parsers.base import ParseLimits
from doc_processor.refusals import HostileMarkup, UnpacksTooLarge, Unreadable

_MAX_MEMBERS = 20_000
_HEAD = 65_536
_XML_NAMES = (".xml", ".rels", ".vml")
_EBCDIC = b"\x4c\x6f\xa7\x94"
_ENCODINGS = {"utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1"}
_DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


def check(path: Path, limits: ParseLimits, parts: Container[str] | None = None) -> None:
    """Refuse archives that unpack to too much, or hold XML that could expand; of the named `parts`, or of all.

    The declared sizes can be trusted as bounds: `zipfile` reads no more of a member than it declares.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive.infolist(), path.stat().st_size, limits)
            for member in archive.infolist():
                if parts is not None and member.filename not in parts:
                    continue
                with archive.open(member) as part:
                    _check_prolog(member.filename, part)
    except _DAMAGE as error:
        raise Unreadable("the file is a damaged zip container") from error


def _check_sizes(members: list[zipfile.ZipInfo], packed: int, limits: ParseLimits) -> None:
    if len(members) > _MAX_MEMBERS:
        raise UnpacksTooLarge(f"the file holds {len(members)} parts; at most {_MAX_MEMBERS} are read")
    unpacked = sum(member.file_size for member in members)
    # Small files may well be all markup, which packs by more than any sensible ratio.
    if unpacked > min(limits.max_unpacked_bytes, packed * limits.max_ratio + 10_000_000):
        raise UnpacksTooLarge(
            f"the file of {packed} bytes unpacks to {unpacked} bytes; at most {limits.max_unpacked_bytes} bytes "
            f"and {limits.max_ratio} times its own size are read"
        )


class _RootReached(Exception):
    """The document's element has begun, behind which there can be no document type."""


def _check_prolog(name: str, part: IO[bytes]) -> None:
    """Refuse a document type declaration: entities need one, and office files must not have one.

    ECMA-376 part 2, 8.4 forbids it in every part. A parser looks, not a pattern, so that neither comments nor encodings
    hide one; what it cannot read, but another parser might, is refused too.
    """
    head = part.read(_HEAD)
    is_markup = name.lower().endswith(_XML_NAMES) or head.startswith(_EBCDIC)
    if not head or not (is_markup or head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")):
        return
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = _check_encoding
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = _stop
    try:
        for block in _blocks(head, part):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except _RootReached:
        pass
    except expat.ExpatError as error:
        raise HostileMarkup("an XML part of the file is damaged, or not in UTF-8 or UTF-16") from error


def _blocks(head: bytes, part: IO[bytes]) -> Iterator[bytes]:
    while head:
        yield head
        head = part.read(_HEAD)


def _check_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise HostileMarkup("an XML part of the file is not in UTF-8 or UTF-16, as office files are")


def _refuse(*_: object) -> NoReturn:
    raise HostileMarkup("an XML part of the file declares a document type, which office files never do")


def _stop(*_: object) -> NoReturn:
    raise _RootReached

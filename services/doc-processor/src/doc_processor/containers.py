"""Checks of zip containers (DOCX, PPTX, XLSX) before anything in them is unpacked."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

from doc_processor.parsers.base import ParseLimits
from doc_processor.refusals import HostileMarkup, UnpacksTooLarge, Unreadable

_MAX_MEMBERS = 20_000
_HEAD = 65_536
_ROOT = re.compile(r"<[^?!\s]")
_DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


def check(path: Path, limits: ParseLimits) -> None:
    """Refuse archives that unpack to too much, or hold XML that could expand.

    The declared sizes can be trusted as bounds: `zipfile` reads no more of a member than it declares.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive.infolist(), path.stat().st_size, limits)
            for member in archive.infolist():
                with archive.open(member) as part:
                    _check_prolog(part.read(_HEAD))
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


def _check_prolog(head: bytes) -> None:
    """Refuse a document type declaration: entities need one, and office files must not have one.

    ECMA-376 part 2, 8.4 forbids it in every part.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head.decode("utf-16", "replace")
    elif head[:2] in (b"<\0", b"\0<"):
        text = head.decode("utf-16-le" if head[:1] == b"<" else "utf-16-be", "replace")
    else:
        text = head.decode("latin-1").removeprefix("\xef\xbb\xbf")
    if not text.lstrip().startswith("<"):
        return
    root = _ROOT.search(text)
    if root is None or "<!DOCTYPE" in text[: root.start()].upper():
        raise HostileMarkup("an XML part of the file declares a document type, which office files never do")

"""EPUB books (https://www.w3.org/TR/epub-33/): the chapters in the order of the spine, a page each."""

from __future__ import annotations

import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from lxml import etree

from doc_processor import containers
from doc_processor.hidden import HiddenText
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.parsers.html import to_markdown
from doc_processor.refusals import Empty, NoPages, PasswordRequired, TooManyPages, Unreadable
from doc_processor.text import decode
from doc_processor.titles import title_of

_CONTAINER, _RIGHTS = "META-INF/container.xml", "META-INF/encryption.xml"
_TEXTS = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document")
_FONTS = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")
_DAMAGE = (etree.XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError, RuntimeError)


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Unreadable`, `PasswordRequired` for a book under digital rights management, `Empty`, `NoPages` or `TooManyPages`."""
    containers.check(upload.path, limits, parts=())
    try:
        with zipfile.ZipFile(upload.path) as archive:
            return _read(archive, limits)
    except _DAMAGE as error:
        raise Unreadable("the file is not a readable EPUB book") from error


def _read(archive: zipfile.ZipFile, limits: ParseLimits) -> ReadyPages:
    names = set(archive.namelist())
    if _RIGHTS in names and not any(font in archive.read(_RIGHTS) for font in _FONTS):
        raise PasswordRequired("the book is encrypted")
    package = next(
        str(each.get("full-path")) for each in _tree(archive, _CONTAINER).iter() if _local(each) == "rootfile"
    )
    tree = _tree(archive, package)
    items = {each.get("id"): each for each in tree.iter() if _local(each) == "item"}
    order = [
        items[each.get("idref")] for each in tree.iter() if _local(each) == "itemref" and each.get("idref") in items
    ]
    chapters = [each for each in order if each.get("media-type") in _TEXTS]
    if not chapters:
        raise NoPages("the book has no chapters")
    if len(chapters) > limits.max_pages:
        raise TooManyPages(f"the book has {len(chapters)} chapters; at most {limits.max_pages} are read")
    hidden = HiddenText.of(limits)
    notes: list[ParseWarning] = []
    pages = []
    for chapter in chapters:
        part = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(chapter.get("href", ""))))
        if part not in names:
            pages.append(ParsedPage("", "epub", warnings=(ParseWarning("page-failed", "the chapter is missing"),)))
            continue
        text, more = to_markdown(decode(archive.read(part)).text, hidden, titled=False)
        notes += more
        pages.append(ParsedPage(text, "epub"))
    if not any(page.text for page in pages):
        raise Empty("the book holds no text")
    if pictures := sum(str(each.get("media-type", "")).startswith("image/") for each in items.values()):
        notes.append(ParseWarning("pictures-not-read", f"{pictures} pictures in the book were not read"))
    return ReadyPages(pages, (*notes, *hidden.warnings), _properties(tree))


def _properties(tree: Any) -> Properties:
    said: dict[str, str] = {}
    for each in tree.iter():
        said.setdefault(_local(each), (each.text or "").strip())
    fields = (said.get(name, "") for name in ("creator", "date", "modified", "language"))
    return Properties(title_of([], said.get("title", "")), *fields)


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    return etree.fromstring(
        archive.read(part), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    )


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""

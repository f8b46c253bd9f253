"""HTML to Markdown; scripts, styles, navigation and hidden parts are left out, and nothing is fetched."""

from __future__ import annotations

import re
import warnings as python_warnings
from itertools import islice

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning
from bs4.element import PageElement, PreformattedString
from markdownify import ATX, MarkdownConverter

from doc_processor.hidden import HiddenText
from doc_processor.markdown import one_line
from doc_processor.parsers import html_tables
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.parsers.html_hidden import take_out
from doc_processor.refusals import Empty
from doc_processor.text import clean, decode, decode_declared, tidy
from doc_processor.titles import title_of

_MAX_TAGS = 200_000
_DROPPED = (
    "head",
    "script", "style", "template", "noscript", "nav", "iframe", "object", "embed", "svg", "canvas", "button",
    "select", "textarea", "input", "video", "audio", "map",
)  # fmt: skip
_CHARSET = re.compile(rb"\bcharset\s*+=\s*+[\"']?([\w-]+)", re.I)
_META = re.compile(r"<meta\b[^<>]{0,2000}>", re.I)
_ATTRIBUTE = re.compile(r"\b(name|property|content)\s*+=\s*+(?:\"([^\"]{0,1000})\"|'([^']{0,1000})')", re.I)
_LANGUAGE = re.compile(r"<html\b[^<>]{0,1000}?\slang=[\"']?([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2})", re.I)
_FIELDS = {
    "author": "author", "dcterms.creator": "author", "article:author": "author", "date": "created", "dcterms.created": "created",
    "article:published_time": "created", "article:modified_time": "modified", "last-modified": "modified",
}  # fmt: skip


class _Converter(MarkdownConverter):
    """Links keep their text and images their description: addresses are of no use to a reader of passages."""

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return f"\n\n{html_tables.to_markdown(el)}\n\n"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " ".join(str(el.get("alt") or "").split())


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Empty` where no visible text is left."""
    data = upload.path.read_bytes()
    hidden = HiddenText.of(limits)
    text, notes = _decode(data)
    converted, more = to_markdown(text, hidden)
    if not converted:
        raise Empty("the page holds no visible text")
    properties = Properties(title_of([converted]), **_declared(text))
    return ReadyPages([ParsedPage(converted, "html")], (*notes, *more, *hidden.warnings), properties)


def _declared(text: str) -> dict[str, str]:
    """Return author, date and language as the page's head gives them."""
    head = text[:65_536].partition("<body")[0]
    found: dict[str, str] = {}
    for tag in _META.findall(head)[:200]:
        named = {name.lower(): one or other for name, one, other in _ATTRIBUTE.findall(tag)}
        field = _FIELDS.get(named.get("name", named.get("property", "")).lower())
        if field and named.get("content"):
            found.setdefault(field, one_line(clean(named["content"]))[:300])
    language = _LANGUAGE.search(head)
    return found | ({"language": language[1]} if language else {})


def _decode(data: bytes) -> tuple[str, tuple[ParseWarning, ...]]:
    decoded = decode(data)
    declared = _CHARSET.search(data[:4096])
    if decoded.guessed and declared and (text := decode_declared(data, declared.group(1).decode())) is not None:
        return text, ()
    if decoded.guessed or decoded.replaced:
        note = ParseWarning(
            "encoding-guessed", f"the text was read as {decoded.encoding}; {decoded.replaced} characters are lost"
        )
        return decoded.text, (note,)
    return decoded.text, ()


def to_markdown(text: str, hidden: HiddenText, *, titled: bool = True) -> tuple[str, tuple[ParseWarning, ...]]:
    """Convert a page or a fragment; with `titled`, the title becomes the first heading where the body has none."""
    text, notes = _bounded(text)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        python_warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(clean(text), "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    _strip(soup, hidden)
    html_tables.take_apart_layout(soup)
    body = soup.body or soup
    try:
        converter = _Converter(
            heading_style=ATX, bullets="-", escape_asterisks=False, escape_underscores=False, escape_misc=False,
            table_infer_header=True,
        )  # fmt: skip
        result = tidy(converter.convert_soup(body))
    except RecursionError:
        result = tidy(body.get_text("\n"))
        notes = (
            *notes,
            ParseWarning("structure-lost", "the page is nested too deeply; its text was read without structure"),
        )
    if titled and title and not re.search(r"^# ", result, re.MULTILINE):
        result = tidy(f"# {title}\n\n{result}")
    return result, notes


def _bounded(text: str) -> tuple[str, tuple[ParseWarning, ...]]:
    """Cut a page behind as many tags as can be read in seconds."""
    if text.count("<") <= _MAX_TAGS:
        return text, ()
    end = next(islice((match.start() for match in re.finditer("<", text)), _MAX_TAGS, None))
    return text[:end], (
        ParseWarning("document-cut", f"the page has more than {_MAX_TAGS} tags; the rest was left out"),
    )


def _strip(soup: BeautifulSoup, hidden: HiddenText) -> None:
    css = [style.get_text() for style in soup.find_all("style")]
    unwanted: list[PageElement] = [node for node in soup.descendants if isinstance(node, PreformattedString)]
    unwanted += [tag for tag in soup.find_all(True) if tag.name in _DROPPED]
    for element in unwanted:
        element.extract()
    take_out(soup, css, hidden)

"""What belongs to a sheet besides its cells (ECMA-376 part 1, 18): merged cells, comments, drawings, and what is hidden."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lxml import etree
from openpyxl.utils import get_column_letter, range_boundaries

from doc_processor import markdown
from doc_processor.grids import Span
from doc_processor.parsers.base import ParseWarning

_UNCALCULATED = re.compile(rb"(</f>|<f(?:[^<>/]|/(?!>))*+/>)\s*+(<v\s*+/>|<v></v>|</c>)")
_ROW, _COLUMN = re.compile(rb"<(?:\w{1,20}:)?row\b[^<>]*+>"), re.compile(rb"<(?:\w{1,20}:)?col\b[^<>]*+>")
_MERGED = re.compile(rb"<(?:\w{1,20}:)?mergeCell\b[^<>]*?\sref=[\"']([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})[\"']")
_HIDES = re.compile(rb"\shidden=[\"'](?:1|true)[\"']")
_NUMBER = re.compile(rb"\s(r|min|max)=[\"'](\d{1,7})[\"']")
_MOST_MERGED, _MOST_COMMENTS, _MOST_NAMED = 100_000, 10_000, 20
_THREADED_NOTE = "[Threaded comment]"


@dataclass(slots=True)
class Around:
    """Merged cells, blocks of text that stand behind the table, and what is hidden or not read."""

    spans: list[Span] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    warnings: list[ParseWarning] = field(default_factory=list)


def read(file: BinaryIO, path: str) -> Around:
    """Read what is around the sheet whose part is `path`; raises what zipfile and lxml raise on damaged parts."""
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        markup = archive.read(path)
        parts = list(_related(archive, names, path))
        around = Around([_span(reference) for reference in _MERGED.findall(markup)[:_MOST_MERGED]])
        around.warnings += _hidden(markup)
        if missing := len(_UNCALCULATED.findall(markup)):
            detail = f"{missing} formulas have no stored result: the file was never calculated by an office program"
            around.warnings.append(ParseWarning("formulas-without-results", detail))
        if comments := _comments(archive, names, parts):
            around.blocks.append("\n".join(["Comments:", "", *comments]))
        for kind, part in parts:
            if kind == "drawing":
                _drawing(_tree(archive, part), around)
    return around


def _span(reference: bytes) -> Span:
    left, top, right, bottom = (edge or 1 for edge in range_boundaries(reference.decode()))
    return Span(top - 1, left - 1, bottom - top + 1, right - left + 1)


def _hidden(markup: bytes) -> Iterator[ParseWarning]:
    rows = [_attributes(row).get("r", 0) for row in _ROW.findall(markup) if _HIDES.search(row)]
    if rows:
        detail = f"{len(rows)} hidden rows of the sheet were read: {_named(map(str, rows))}"
        yield ParseWarning("hidden-rows", detail)
    columns: list[str] = []
    for column in _COLUMN.findall(markup):
        if _HIDES.search(column):
            bounds = _attributes(column)
            first, last = (min(max(1, bounds.get(name, 1)), 16_384) for name in ("min", "max"))
            ends = [get_column_letter(first), get_column_letter(last)]
            columns.append("-".join(dict.fromkeys(ends)))
    if columns:
        detail = f"{len(columns)} ranges of hidden columns were read: {_named(columns)}"
        yield ParseWarning("hidden-columns", detail)


def _attributes(tag: bytes) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in _NUMBER.findall(tag)}


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return ", ".join(listed[:_MOST_NAMED]) + more


def _related(archive: zipfile.ZipFile, names: set[str], path: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, part) of what a part refers to."""
    folder, name = posixpath.split(path.lstrip("/"))
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in names:
        return
    for relation in _tree(archive, relations):
        target = relation.get("Target", "") if isinstance(relation.tag, str) else ""
        part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        if part in names and relation.get("TargetMode") != "External":
            yield relation.get("Type", "").rpartition("/")[2], part


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    return etree.fromstring(archive.read(part), parser)


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _words(element: Any) -> str:
    return "".join(each.text or "" for each in element.iter() if _local(each) in ("t", "text"))


def _comments(archive: zipfile.ZipFile, names: set[str], parts: list[tuple[str, str]]) -> list[str]:
    """List comments as `C4 (author): text`; a thread stands in place of the note that older programs show for it."""
    people = {
        person.get("id"): person.get("displayName", "")
        for name in sorted(names)
        if name.startswith("xl/persons/")
        for person in _tree(archive, name)
        if _local(person) == "person"
    }
    found: list[tuple[str, str, str]] = []
    for kind, part in parts:
        if kind not in ("comments", "threadedComment"):
            continue
        tree = _tree(archive, part)
        if kind == "threadedComment":
            found += [(each.get("ref", ""), people.get(each.get("personId"), ""), _words(each)) for each in tree]
        else:
            authors = [each.text or "" for each in tree.iter() if _local(each) == "author"]
            for each in tree.iter():
                text = _words(each) if _local(each) == "comment" else ""
                number = each.get("authorId", "") if text else ""
                author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
                if text.strip() and not text.startswith(_THREADED_NOTE):
                    found.append((each.get("ref", ""), "" if author.startswith("tc=") else author, text))
    return [
        markdown.item(f"{where} ({who}): {text}" if who else f"{where}: {text}", 0)
        for where, who, text in found[:_MOST_COMMENTS]
    ]


def _drawing(tree: Any, around: Around) -> None:
    pictures = charts = 0
    for element in tree.iter():
        name = _local(element)
        if name == "txBody":
            lines = (
                "".join(each.text or "" for each in line.iter() if _local(each) == "t")
                for line in element
                if _local(line) == "p"
            )
            around.blocks.append(markdown.paragraph("\n".join(lines)))
        pictures += name == "pic"
        charts += name == "chart"
    if pictures:
        around.warnings.append(ParseWarning("pictures-not-read", f"{pictures} pictures on the sheet were not read"))
    if charts:
        detail = f"{charts} charts on the sheet were not read; the cells that they show were"
        around.warnings.append(ParseWarning("charts-not-read", detail))

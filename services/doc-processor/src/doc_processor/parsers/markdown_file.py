"""Markdown files: plain text whose headings and tables are its own."""

from __future__ import annotations

import re
from dataclasses import replace

from doc_processor.parsers import plain
from doc_processor.parsers.base import ParseLimits, Properties, ReadyPages, Upload
from doc_processor.titles import title_of

_FIELD = re.compile(r"(title|author|date)[ \t]*+:[ \t]*+(\S.{0,299})", re.IGNORECASE)


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Keep the text as it is."""
    read = plain.parse(upload, limits)
    pages = [replace(page, engine="markdown") for page in read.texts]
    front = _front_matter(pages[0].text)
    title = title_of([page.text for page in pages], front.get("title", ""))
    return ReadyPages(
        pages, read.warnings, Properties(title, author=front.get("author", ""), created=front.get("date", ""))
    )


def _front_matter(text: str) -> dict[str, str]:
    """Return the simple fields of a YAML front matter; it is read as lines, since YAML is a language of its own."""
    begin, _, rest = text.partition("\n")
    if begin.strip() != "---":
        return {}
    lines = rest.partition("\n---")[0].split("\n")[:100]
    return {
        found[1].lower(): found[2].strip().strip("\"'") for line in lines if (found := _FIELD.fullmatch(line.strip()))
    }

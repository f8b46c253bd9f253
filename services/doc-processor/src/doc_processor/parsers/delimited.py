"""CSV, TSV and similar files, as one Markdown table."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

from doc_processor import markdown
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, ReadyPages, Upload
from doc_processor.parsers.plain import read_text
from doc_processor.refusals import Empty, Unreadable
from doc_processor.text import clean, tidy

_SAMPLE = 65_536
_DELIMITERS = ",;\t|"
_LINES = 200
_MARK = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Empty` without a single cell; rows beyond `max_table_cells` are left out with a warning."""
    raw, warnings = read_text(upload.path.read_bytes())
    text, delimiter = _without_mark(clean(raw))
    try:
        # The limit is per process and guards against an unclosed quote, which swallows the rest of the file.
        csv.field_size_limit(10_000_000)
        rows: list[list[str]] = []
        cells = 0
        for row in csv.reader(io.StringIO(text, newline=""), dialect=_dialect(text[:_SAMPLE], delimiter)):
            if not any(value.strip() for value in row):
                continue
            cells += len(row)
            if cells > limits.max_table_cells:
                detail = f"the table has more than {limits.max_table_cells} cells; {len(rows)} rows were read"
                warnings = (*warnings, ParseWarning("table-cut", detail))
                break
            rows.append(row)
    except csv.Error as error:
        raise Unreadable(f"the file is not readable as CSV: {error}") from error
    if not rows:
        raise Empty("the file holds no cells")
    return ReadyPages([ParsedPage(tidy(markdown.table(rows)), "csv")], warnings)


def _without_mark(text: str) -> tuple[str, str]:
    """Take off the line by which Excel is told the delimiter, such as `sep=;`, and return it."""
    first, _, rest = text.partition("\n")
    marked = _MARK.fullmatch(first.rstrip("\r"))
    return (rest, marked[1]) if marked else (text, "")


def _dialect(sample: str, given: str) -> type[csv.Dialect]:
    # Not by csv.Sniffer, whose patterns take quadratic time: 60 kB of `",` are 11 seconds.
    lines = [line for line in sample.split("\n")[:_LINES] if line.strip()]

    class Guessed(csv.excel):
        delimiter = given or max(_DELIMITERS, key=lambda mark: _evenness(mark, lines))

    return Guessed


def _evenness(mark: str, lines: list[str]) -> tuple[int, int]:
    """Return in how many lines a mark stands as often as it does in most, and in how many it stands at all."""
    counts = Counter(line.count(mark) for line in lines if mark in line)
    return (max(counts.values(), default=0), counts.total())

"""Documents whose text is known: whether each is read as it should be, how well, and how fast.

A manifest has a JSON object a line: `file` (beside the manifest) and `expect`, which begins with what must come: `text` or `ocr`
(the text), `4xx` (a refusal), `bounded` (either, in time); "2xx" and "4xx" in it allow either. Optional: `pages`, `snippets` (`page`,
`text`), `contains`, `ground_truth` (a file with the true text), `cells` (the true rows of a table), `kind`.
"""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zlib import crc32

from PIL import Image
from rich.console import Console
from rich.progress import track

from switchyard.client import Client
from switchyard_benchmarks.pages import MAKINGS
from switchyard_benchmarks.results import Evaluation, Result, rows

_PATH = "/doc-processor/v1/process"
_WORD, _CHARACTER = re.compile(r"[a-z0-9]+"), re.compile(r"[a-z0-9]")
_SECONDS = re.compile(r"within (\d{1,4}) s")
_CELL, _RULE = re.compile(r"(?<!\\)\|"), re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_LONGEST = 60.0
"""Seconds for a document that does not say otherwise."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """An entry of the manifest, and the bytes that are sent for it."""

    entry: dict[str, Any]
    name: str
    data: bytes


def documents(
    console: Console, client: Client, manifest: Path, at_once: int = 1, variants: bool = False
) -> list[Evaluation]:
    """Read every document of a manifest, `at_once` side by side, and hold it against what must come; by kind.

    With `variants`, pictures whose text is known are read turned, askew and photographed as well.
    """
    entries = sorted(rows(manifest), key=_kind)
    evaluations = []
    for kind, group in groupby(entries, key=_kind):
        every = list(group)
        evaluations.append(_evaluation(console, client, manifest.parent, kind, every, None, at_once))
        if variants and "ground_truth" in every[0]:
            evaluations += [
                _evaluation(console, client, manifest.parent, kind, every, making, at_once) for making in MAKINGS
            ]
    return evaluations


def _evaluation(
    console: Console,
    client: Client,
    folder: Path,
    kind: str,
    entries: Sequence[dict[str, Any]],
    making: str | None,
    at_once: int,
) -> Evaluation:
    name = f"{kind}, {making}" if making else kind
    sent = [_sent(folder, entry, making) for entry in entries]
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        answers = threads.map(lambda each: _result(client, folder, each), sent)
        each = list(track(answers, total=len(sent), description=name, console=console, transient=True))
    seconds = time.perf_counter() - began
    return Evaluation(
        kind="documents", name=name, results=each, seconds_per_question=round(seconds / max(1, len(each)), 4)
    )


def _sent(folder: Path, entry: dict[str, Any], making: str | None) -> _Sent:
    path = folder / entry["file"]
    if making is None:
        return _Sent(entry, path.name, path.read_bytes())
    with Image.open(path) as picture:
        made = MAKINGS[making](picture.convert("RGB"), crc32(path.name.encode()))
    file = io.BytesIO()
    made.save(file, "JPEG", quality=90)
    return _Sent(entry, f"{path.stem}.jpg", file.getvalue())


def speed(evaluation: Evaluation) -> float:
    """Return the pages a second, by the clock."""
    pages = sum(result.details["pages"] for result in evaluation.results)
    seconds = evaluation.seconds_per_question * len(evaluation.results)
    return float(pages / seconds) if seconds else 0.0


def failures(evaluation: Evaluation) -> Iterator[str]:
    """Yield what was not as it should be."""
    for result in evaluation.results:
        if result.details["failed"]:
            yield f"{result.qid}: {'; '.join(result.details['failed'])}"


def _kind(entry: dict[str, Any]) -> str:
    kind = str(entry.get("kind", "document"))
    return f"{kind} {Path(entry['file']).stem.partition('-')[0]}" if "ground_truth" in entry else kind


def _result(client: Client, folder: Path, sent: _Sent) -> Result:
    entry = sent.entry
    began = time.perf_counter()
    answer = client.http.post(_PATH, files={"file": (sent.name, sent.data)})
    seconds = time.perf_counter() - began
    pages = answer.json()["pages"] if answer.status_code == 200 else []
    failed = list(_failed(entry, answer.status_code, seconds, pages))
    figures = {"as expected": float(not failed), **_figures(entry, folder, pages)}
    details = {"status": answer.status_code, "seconds": round(seconds, 3), "pages": len(pages), "failed": failed}
    return Result(qid=entry["file"], question=str(entry["expect"]), figures=figures, details=details)


def _failed(entry: dict[str, Any], status: int, seconds: float, pages: Sequence[dict[str, Any]]) -> Iterator[str]:
    expect = str(entry["expect"])
    is_read, is_refused = "2xx" in expect or "treated as" in expect, "4xx" in expect
    if expect.startswith("bounded"):
        is_read = is_refused = True
    if status == 200 and not (is_read or expect.startswith(("text", "ocr"))):
        yield "was read"
    if status != 200 and not (is_refused and 400 <= status < 500):
        yield f"answered {status}"
    within = _SECONDS.search(expect)
    if seconds > (float(within[1]) if within else _LONGEST):
        yield f"took {seconds:.1f} s"
    if status != 200:
        return
    if "pages" in entry and len(pages) != entry["pages"]:
        yield f"{len(pages)} pages"
    for snippet in entry.get("snippets", ()):
        if len(pages) < snippet["page"] or _plain(snippet["text"]) not in _plain(pages[snippet["page"] - 1]["text"]):
            yield f"page {snippet['page']} lacks {snippet['text'][:40]!r}"
    everything = _plain(" ".join(page["text"] for page in pages))
    for words in entry.get("contains", ()):
        if _plain(words) not in everything:
            yield f"lacks {words[:40]!r}"


def _figures(entry: dict[str, Any], folder: Path, pages: Sequence[dict[str, Any]]) -> dict[str, float]:
    text = "\n\n".join(page["text"] for page in pages)
    figures: dict[str, float] = {}
    if truth := entry.get("ground_truth"):
        written = (folder / truth).read_text(encoding="utf-8")
        figures |= {"word recall": word_recall(written, text), "CER": character_error_rate(written, text)}
    if cells := entry.get("cells"):
        figures["cells in place"] = cells_in_place(cells, text)
    return figures


def _plain(text: str) -> str:
    """Return a text's words with one space between, without what marks tables."""
    return " ".join(_RULE.sub(" ", text).replace("|", " ").split())


def word_recall(truth: str, text: str) -> float:
    """Return the share of the true words that were read: letters and digits, in any case and order."""
    expected, found = (Counter(_WORD.findall(part.lower())) for part in (truth, text))
    return (expected & found).total() / max(1, expected.total())


def character_error_rate(truth: str, text: str) -> float:
    """Return the edit distance over the length of the truth, of letters and digits in any case."""
    expected, found = ("".join(_CHARACTER.findall(part.lower())) for part in (truth, text))
    row = list(range(len(found) + 1))
    for i, a in enumerate(expected, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(found, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1] / max(1, len(expected))


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of a text's Markdown tables; one that goes on under the same header is one table."""
    found: list[list[list[str]]] = []
    lines = [line.strip() for line in text.split("\n")]
    at = 0
    while at + 1 < len(lines):
        if not (lines[at].startswith("|") and _RULE.fullmatch(lines[at + 1])):
            at += 1
            continue
        end = next((n for n in range(at + 2, len(lines)) if not lines[n].startswith("|")), len(lines))
        header, body = _cells(lines[at]), [_cells(line) for line in lines[at + 2 : end]]
        if found and found[-1][0] == header:
            found[-1] += body
        else:
            found.append([header, *body])
        at = end
    return found


def cells_in_place(expected: Sequence[Sequence[str]], text: str) -> float:
    """Return the share of a table's cells that stand in their row and column, in the table of the text that has most."""
    total = sum(map(len, expected))
    best = 0
    for found in tables(text):
        pairs = zip(expected, found, strict=False)
        best = max(best, sum(_same(a, b) for want, have in pairs for a, b in zip(want, have, strict=False)))
    return best / max(1, total)


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(inner)]

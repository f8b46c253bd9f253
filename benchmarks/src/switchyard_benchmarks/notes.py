"""Notes, measured on transcripts whose decisions and actions are known.

A set is NAME.txt, .vtt or .srt and NAME.truth.json: `decisions` and `action_items`, each with `text`, the words `said`, for actions
`owner` and `due` (as said, or null), and `optional` where a reader might list it or not: it is neither missed nor false.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from llm_providers.sentences import words
from switchyard.client import Client, StackError
from switchyard_benchmarks.results import Evaluation, Result

SETS = Path(__file__).with_name("transcripts")
_ALIKE = 0.5
_KINDS = {"decisions": "decision", "action_items": "action"}
_SUFFIXES = (".txt", ".vtt", ".srt")
_WORDS_A_SECOND, _PAUSE = 2.0, 0.5
_CUE_WORDS = 12


@dataclass(frozen=True, slots=True)
class Scored:
    """What a note has of one kind, against what it should have."""

    kind: str
    results: list[Result]
    false: list[str]
    missed: list[str]

    def row(self) -> list[str]:
        """Return the figures as the table shows them."""
        means = Evaluation(kind="", name="", results=self.results, seconds_per_question=0).means()
        precision, recall = means.get("precision", 0.0), means.get("recall", 0.0)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        shown = [precision, recall, f1, *(means.get(name) for name in ("owner", "due"))]
        return ["–" if figure is None else f"{figure:.2f}" for figure in shown]

    @property
    def f1(self) -> float:
        return float(self.row()[2])


def read(data: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Return the transcript's file and its truth; raises `StackError`."""
    files = [data / f"{name}{suffix}" for suffix in _SUFFIXES]
    file = next((each for each in files if each.is_file()), None)
    if file is None:
        raise StackError(f"no {name}.txt, .vtt or .srt in {data}")
    try:
        truth: dict[str, Any] = json.loads((data / f"{name}.truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{name}.truth.json: {error}") from error
    return file, truth


def notes(console: Console, client: Client, data: Path, name: str, form: str | None, seconds: float) -> Evaluation:
    """Have a note made of a transcript, and print what it has, what it lacks and what is false; raises `StackError`.

    A text is sent in another form, "vtt" or "srt", if one is asked for: in cues of twelve words at two words a second.
    """
    file, truth = read(data, name)
    content = file.read_bytes()
    if form and file.suffix == ".txt" and form != "txt":
        content, file = subtitles(content.decode(), form).encode(), file.with_suffix(f".{form}")
    began = time.perf_counter()
    note = _made(console, client, file.name, content, seconds)
    took = time.perf_counter() - began
    scored = [score(kind, note["content"][kind], truth[kind], name) for kind in _KINDS]
    table = Table(
        "points", "precision", "recall", "F1", "owner", "due", title=f"{name}, {note['provider']}, {took:.1f} s"
    )
    for each in scored:
        table.add_row(each.kind, *each.row())
    console.print(table)
    for each in scored:
        for label, texts in (("false", each.false), ("missed", each.missed)):
            for text in texts:
                console.print(f"{label} {_KINDS[each.kind]}: {text}", markup=False, highlight=False)
    results = [result for each in scored for result in each.results]
    return Evaluation(kind="notes", name=name, results=results, seconds_per_question=round(took, 4))


def score(kind: str, found: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]], name: str = "") -> Scored:
    """Match points with the true ones, one to one, the most alike first.

    Two match where the F1 of their content words is at least .5: the point's text with the true text or with what was said, or its
    quote with what was said. Precision counts the points, recall the true ones; owner and due date those that were found.
    """
    pairs = sorted(
        (
            (likeness(point, true), not true.get("optional"), -place, -number)
            for place, point in enumerate(found)
            for number, true in enumerate(truth)
        ),
        reverse=True,
    )
    matched: dict[int, int] = {}
    for alike, _, place, number in pairs:
        if alike >= _ALIKE and -place not in matched.values() and -number not in matched:
            matched[-number] = -place
    results, missed = [], []
    for number, true in enumerate(truth):
        if true.get("optional"):
            continue
        figures = {"recall": float(number in matched)}
        if number in matched and "owner" in true:
            point = found[matched[number]]
            figures["owner"] = float(_same_owner(point.get("owner"), true["owner"]))
            figures["due"] = float(_same_due(point.get("due"), true["due"]))
        if number not in matched:
            missed.append(true["text"])
        results.append(Result(qid=f"{name}/{kind}/{number}", question=true["text"], figures=figures))
    taken = set(matched.values())
    for place, point in enumerate(found):
        figures = {"precision": float(place in taken)}
        results.append(Result(qid=f"{name}/{kind}/{point['text']}", question=point["text"], figures=figures))
    false = [point["text"] for place, point in enumerate(found) if place not in taken]
    return Scored(kind, results, false, missed)


def likeness(point: Mapping[str, Any], true: Mapping[str, Any]) -> float:
    """Return the greatest F1 of the content words of a point and a true one, in either's wording."""
    quote = (point.get("source") or {}).get("quote", "")
    pairs = ((point["text"], true["text"]), (point["text"], true["said"]), (quote, true["said"]))
    return max(_f1(words(a), words(b)) for a, b in pairs)


def subtitles(transcript: str, form: str) -> str:
    """Return a transcript of lines `Name: words` as WebVTT ("vtt") or SubRip ("srt"), without what stands before the first."""
    cues = list(_cues(transcript))
    if form == "vtt":
        return "WEBVTT\n\n" + "\n".join(
            f"{_clock(a)} --> {_clock(b)}\n<v {who}>{said}</v>\n" for a, b, who, said in cues
        )
    lines = (
        f"{number}\n{_clock(a)} --> {_clock(b)}\n".replace(".", ",") + f"{who}: {said}\n"
        for number, (a, b, who, said) in enumerate(cues, 1)
    )
    return "\n".join(lines)


def _cues(transcript: str) -> Iterator[tuple[float, float, str, str]]:
    now = 0.0
    for paragraph in transcript.split("\n\n")[1:]:
        who, _, said = " ".join(paragraph.split()).partition(": ")
        spoken = said.split()
        for begin in range(0, len(spoken), _CUE_WORDS):
            part = spoken[begin : begin + _CUE_WORDS]
            yield now, now + len(part) / _WORDS_A_SECOND, who, " ".join(part)
            now += len(part) / _WORDS_A_SECOND
        now += _PAUSE


def _clock(seconds: float) -> str:
    whole, rest = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:03}"


def _made(console: Console, client: Client, name: str, content: bytes, seconds: float) -> dict[str, Any]:
    note: dict[str, Any] = client.call(
        "POST", "/notes/v1/notes?wait=0", files={"file": (name, content)}, data={"kind": "meeting"}
    )
    with console.status(name) as status:
        deadline = time.monotonic() + seconds
        while note["status"] in ("queued", "running") and time.monotonic() < deadline:
            job = client.call("GET", f"/notes/v1/jobs/{note['job_id']}")
            status.update(f"{name}: {job['stage']}, {job['parts_done']} of {job['parts_total'] or '?'} parts")
            time.sleep(0.5)
            note = client.call("GET", f"/notes/v1/notes/{note['id']}")
    if note["status"] != "ready":
        raise StackError(f"the note of {name} is {note['status']}")
    return note


def _f1(a: Sequence[str], b: Sequence[str]) -> float:
    common = (Counter(a) & Counter(b)).total()
    return 2 * common / (len(a) + len(b)) if common else 0.0


def _same_owner(found: str | None, true: str | None) -> bool:
    names = [set((name or "").lower().split()) for name in (found, true)]
    return bool(names[0] & names[1]) or names[0] == names[1]


def _same_due(found: str | None, true: str | None) -> bool:
    return found is true or bool(found and true and _f1(words(found), words(true)) >= _ALIKE)

"""`switchyard bench` and `switchyard eval`, as they are typed."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from switchyard.client import Client, saved_key
from switchyard.options import DATA, URL, DataDir, Port, Url
from switchyard_benchmarks import results

bench = typer.Typer(no_args_is_help=True, help="Measure speed, memory and disk; docs/performance.md has the results.")
evaluate = typer.Typer(no_args_is_help=True, help="Measure quality on questions whose answers are known.")
redteam = typer.Typer(help="Attack a running stack with documents and questions of its own, and say what got through.")
console = Console()

MOST_USERS = 100
_LOAD_CHUNKS = 2000
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all results to this file")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write a page with plots to this file")]
BenchUrl = Annotated[
    str | None, typer.Option(help="A running stack, its key in SWITCHYARD_API_KEY; else a new one is started")
]


@bench.command("graph")
def bench_graph(
    entities: Annotated[int, typer.Option(min=100, help="Entities of the largest graph")] = 100_000,
    relations: Annotated[int, typer.Option(min=100, help="Its relations")] = 1_000_000,
    steps: Annotated[int, typer.Option(min=1, max=8, help="Graphs, each twice as large as the one before")] = 4,
    seed: Annotated[int, typer.Option(help="Of what is joined with what")] = 17,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Time neighbours and paths in made graphs of growing size; needs no stack."""
    from switchyard_benchmarks.graphs import graphs

    found = graphs(console, entities, relations, steps, seed)
    found.show(console)
    found.write(json, html)


@bench.command("build")
def bench_build(
    pages: Annotated[int, typer.Option(min=1, help="Of the one document")] = 5000,
    port: Port = 8089,
    json: JsonFile = None,
) -> None:
    """Build the graph of a long made document by a graph-service of its own; needs no stack."""
    from switchyard_benchmarks.graph_build import graph_build

    with tempfile.TemporaryDirectory() as folder, console.status(f"{pages} pages"):
        found = graph_build(pages, port, Path(folder))
    found.show(console)
    found.write(json, None)


@bench.command("documents")
def bench_documents(
    files: list[Path],
    at_once: Annotated[int, typer.Option(min=1, help="Files that are read at a time")] = 3,
    port: Port = 8089,
    json: JsonFile = None,
) -> None:
    """Read files by a doc-processor of its own; needs no stack."""
    from switchyard_benchmarks.processor import processor

    with tempfile.TemporaryDirectory() as folder:
        found = processor(files, port, Path(folder), at_once)
    found.show(console)
    found.write(json, None)


@evaluate.command("retrieval")
def eval_retrieval(
    data: Path,
    name: str,
    corpus: str | None = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Search the collection's graph too, which must be there")
    ] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Score the search on DATA/NAME.questions.jsonl over DATA/NAME.corpus.jsonl (or over another corpus)."""
    from switchyard_benchmarks.evaluation import retrieval

    with Client(url, saved_key(data_dir)) as client:
        evaluation = retrieval(console, client, data, name, corpus, graph=graph)
    evaluation.write(json)
    results.show(console, [evaluation])


@evaluate.command("multihop")
def eval_multihop(
    data: Path,
    name: str,
    count: Annotated[int, typer.Option(min=1, help="Questions at most")] = 250,
    seed: Annotated[int, typer.Option(help="Of the choice of questions")] = 17,
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Search for questions that need two passages, made from DATA/NAME.corpus.jsonl, with and without the graph."""
    from switchyard_benchmarks import multihop

    with Client(url, saved_key(data_dir)) as client:
        evaluations = multihop.multihop(console, client, data, name, count, seed)
    everything = [r.model_copy(update={"qid": f"{e.name} {r.qid}"}) for e in evaluations for r in e.results]
    evaluations[0].model_copy(update={"name": name, "results": everything}).write(json)
    multihop.show(console, evaluations)


@evaluate.command("answers")
def eval_answers(
    data: Path,
    name: str,
    count: Annotated[int | None, typer.Option(help="Questions of each kind; all if not given")] = None,
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Score answers and abstention on DATA/NAME.questions.jsonl and NAME.unanswerable.jsonl."""
    from switchyard_benchmarks.evaluation import answers

    with Client(url, saved_key(data_dir)) as client:
        answerable, unanswerable = answers(console, client, data, name, count)
    answerable.write(json)
    results.show(console, [answerable, unanswerable])


@evaluate.command("claims")
def eval_claims(
    data: Path,
    name: str,
    count: Annotated[int, typer.Option(help="Sentences of each kind")] = 300,
    seed: Annotated[int, typer.Option(help="Of the choice of sentences and changes")] = 17,
    json: JsonFile = None,
) -> None:
    """Attribute true sentences, and the same with one number, date, name, unit or negation changed; needs no stack."""
    from switchyard_benchmarks.claims import claims

    evaluations = list(claims(data, name, count, seed))
    everything = [result for each in evaluations if not each.name.startswith("·") for result in each.results]
    evaluations[0].model_copy(update={"name": name, "results": everything}).write(json)
    results.show(console, evaluations)


@evaluate.command("notes")
def eval_notes(
    name: Annotated[str, typer.Argument(help="NAME.txt, .vtt or .srt with NAME.truth.json")] = "arts-centre",
    data: Annotated[Path | None, typer.Option(help="Folder of the set; our own transcripts if not given")] = None,
    form: Annotated[str | None, typer.Option(help="Send a text as vtt or srt")] = None,
    seconds: Annotated[float, typer.Option(help="Wait so long for the note")] = 1800,
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Score the decisions and actions of a note on a transcript whose decisions and actions are known."""
    from switchyard_benchmarks.notes import SETS, notes

    with Client(url, saved_key(data_dir)) as client:
        notes(console, client, data or SETS, name, form, seconds).write(json)


@evaluate.command("documents")
def eval_documents(
    manifest: Annotated[Path, typer.Option(help="JSON lines: each a file, and what must come of it")],
    variants: Annotated[bool, typer.Option(help="Read scans turned, askew and photographed as well")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Documents read side by side")] = 1,
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Read documents whose text is known: as expected or not, word recall and errors of scans, cells of tables, pages a second."""
    from switchyard_benchmarks.documents import documents, failures, speed

    with Client(url, saved_key(data_dir)) as client:
        evaluations = documents(console, client, manifest, at_once, variants)
    everything = [result for each in evaluations for result in each.results]
    evaluations[0].model_copy(update={"name": manifest.parent.name, "results": everything}).write(json)
    results.show(console, evaluations)
    for each in evaluations:
        console.print(f"{each.name}: {speed(each):.1f} pages/s")
        for failure in failures(each):
            console.print(f"  {failure}", style="red")


@evaluate.command("entities")
def eval_entities(
    file: Annotated[Path, typer.Argument(help="Annotated sentences in the IOB2 columns of Universal NER")],
    language: Annotated[str, typer.Option(help="Of the text, as an ISO 639-1 code")] = "en",
    by: Annotated[str, typer.Option(help="Score this program instead; benchmarks/spacy/run.sh is one")] = "",
    json: JsonFile = None,
) -> None:
    """Score the embedded extraction of persons, organisations and places; needs no stack."""
    from switchyard_benchmarks import entities

    evaluation = entities.entities(file, language, shlex.split(by))
    evaluation.write(json)
    entities.show(console, evaluation)


@evaluate.command("names")
def eval_names() -> None:
    """Score which made names the graph-service takes for one entity, and what likeness of embeddings would; needs no stack."""
    from llm_providers.backends.embedded.encoder import Encoder
    from switchyard_benchmarks import names

    names.show(console, Encoder())


@evaluate.command("compare")
def eval_compare(before: Path, after: Path) -> None:
    """Compare two files of `--json`: the difference with its interval, and the questions that changed."""
    results.compare(console, results.Evaluation.read(before), results.Evaluation.read(after))


@redteam.callback(invoke_without_command=True)
def attack(
    family: Annotated[str, typer.Option(help="Only the attacks of one family")] = "",
    allow: Annotated[int, typer.Option(help="Attempts that may get through before the exit code is 1", min=0)] = 0,
    ordinary: Annotated[
        Path | None,
        typer.Option(help="Instead of attacking, ask the ordinary questions of this file (JSON lines with `question`)"),
    ] = None,
    collection: Annotated[str, typer.Option(help="That is asked ordinary questions")] = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
    json: JsonFile = None,
) -> None:
    """Attack a stack: instructions in documents and questions, and leaks; or count what is blocked without need."""
    from switchyard_benchmarks.redteam import RedTeam, false_blocks, load, report

    with Client(url, saved_key(data_dir)) as client:
        if ordinary is not None:
            questions = [row["question"] for row in results.rows(ordinary)]
            blocked = false_blocks(console, client, questions, collection)
            report.show_blocked(console, questions, blocked)
            raise typer.Exit(len(blocked) > allow)
        attacks = load(family)
        if not attacks:
            raise typer.BadParameter("there is no such family", param_hint="--family")
        attempts = RedTeam(console, client).run(attacks)
    report.show(console, attempts)
    report.write(json, attempts)
    raise typer.Exit(len(report.through(attempts)) > allow)


@bench.command("stack")
def bench_stack(port: int = 18080, documents: int = 12, questions: int = 200) -> None:
    """Start-up, memory, disk, ingestion and search latency of the all-in-one process."""
    from switchyard_benchmarks.stack import stack

    stack(console, port, documents, questions)


@bench.command("query")
def bench_query(
    url: BenchUrl = None,
    data_dir: DataDir = DATA,
    port: int = 18080,
    chunks: Annotated[int, typer.Option(help="Size of the collection")] = 2000,
    questions: Annotated[int, typer.Option(max=10_000)] = 200,
    users: Annotated[int, typer.Option(help="Users at once in the second round", max=MOST_USERS)] = 8,
    synthetic: Annotated[
        bool, typer.Option(help="Fill the store of a new stack without encoding: for collections of 100,000 chunks")
    ] = False,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Latency of a search over many chunks, alone and with several users at once."""
    from switchyard_benchmarks.query import query
    from switchyard_benchmarks.target import target

    with target(url, data_dir, port, chunks if synthetic else 0) as stack:
        found = query(console, stack, chunks, questions, users, filled=synthetic)
    found.show(console)
    found.write(json, html)


@bench.command("ingest")
def bench_ingest(
    url: BenchUrl = None,
    data_dir: DataDir = DATA,
    port: int = 18080,
    documents: Annotated[int, typer.Option(min=1, max=1000)] = 36,
    paragraphs: Annotated[int, typer.Option(help="Of a document; a chunk is about one and a half", max=3000)] = 40,
    limit: Annotated[float, typer.Option(help="Seconds until the run is given up")] = 900,
    pages: Annotated[int, typer.Option(help="Instead: one PDF with a text layer of so many pages", max=5000)] = 0,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Add many documents at once, or a long one: when each is ready, and how many chunks a second; they are deleted again."""
    from switchyard_benchmarks.ingest import ingest
    from switchyard_benchmarks.long_document import long_document
    from switchyard_benchmarks.target import target

    with target(url, data_dir, port) as stack:
        found = (
            long_document(console, stack, pages, limit)
            if pages
            else ingest(console, stack, documents, paragraphs, limit)
        )
    console.print(found.about)
    found.write(json, html)


@bench.command("load")
def bench_load(
    url: BenchUrl = None,
    data_dir: DataDir = DATA,
    port: int = 18080,
    collection: Annotated[
        str, typer.Option(help="Of a running stack; a new one has 2,000 synthetic chunks")
    ] = "default",
    users: Annotated[str, typer.Option(help="Users at once in each step, 1 to 100")] = "1,4,16,64,100",
    seconds: Annotated[float, typer.Option(help="Length of a step", min=1, max=600)] = 15,
    questions: Annotated[Path | None, typer.Option(help="JSON lines with `question`; else random words")] = None,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Answers under load, streamed: errors, percentiles, first token and tokens a second, with more and more users."""
    from switchyard_benchmarks import load
    from switchyard_benchmarks.query import COLLECTION
    from switchyard_benchmarks.target import target

    steps = [int(step) for step in users.split(",") if step.strip().isdigit()]
    if not steps or not all(1 <= step <= MOST_USERS for step in steps):
        raise typer.BadParameter(f"1 to {MOST_USERS} users, as in 1,8,64", param_hint="--users")
    asked = list(load.random_questions(500, by_their_frequency=url is None))
    if questions is not None:
        asked = [row["question"] for row in results.rows(questions)]
    with target(url, data_dir, port, 0 if url else _LOAD_CHUNKS) as stack:
        found = load.load(console, stack, collection if url else COLLECTION, asked, steps, seconds)
    found.show(console)
    found.write(json, html)


@bench.command("services")
def bench_services() -> None:
    """Start-up time and memory of each service as a process of its own."""
    from switchyard_benchmarks.stack import services

    services(console)


@bench.command("overhead")
def bench_overhead(
    rounds: Annotated[int, typer.Option(help="Interleaved blocks per path and level")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of a block")] = 4,
) -> None:
    """What the provider package and a service add to a direct call of an engine, at 1, 16 and 64 streams."""
    from switchyard_benchmarks.overhead.bench import run

    asyncio.run(run(console, rounds, seconds))

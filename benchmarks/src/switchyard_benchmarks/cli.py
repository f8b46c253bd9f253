"""`switchyard bench` and `switchyard eval`, as they are typed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from switchyard.client import Client, saved_key
from switchyard.options import DATA, URL, DataDir, Url

bench = typer.Typer(no_args_is_help=True, help="Measure speed, memory and disk; docs/performance.md has the results.")
evaluate = typer.Typer(no_args_is_help=True, help="Measure quality on questions whose answers are known.")
console = Console()


@evaluate.command("retrieval")
def eval_retrieval(data: Path, name: str, corpus: str | None = None, url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Score the search on DATA/NAME.questions.jsonl over DATA/NAME.corpus.jsonl (or over another corpus)."""
    from switchyard_benchmarks.evaluation import retrieval

    with Client(url, saved_key(data_dir)) as client:
        retrieval(console, client, data, name, corpus)


@evaluate.command("answers")
def eval_answers(data: Path, name: str, count: int = 100, url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Score answers and abstention on DATA/NAME.questions.jsonl and NAME.unanswerable.jsonl."""
    from switchyard_benchmarks.evaluation import answers

    with Client(url, saved_key(data_dir)) as client:
        answers(console, client, data, name, count)


@bench.command("stack")
def bench_stack(port: int = 18080, documents: int = 12, questions: int = 200) -> None:
    """Start-up, memory, disk, ingestion and search latency of the all-in-one process."""
    from switchyard_benchmarks.stack import stack

    stack(console, port, documents, questions)


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

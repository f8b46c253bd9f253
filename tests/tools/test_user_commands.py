"""`add`, `list`, `show`, `rm`, `ask`, `chat` and `note`, piped, on one all-in-one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from rich.console import Console

from harness.ports import free_port
from harness.process import takes_interrupts
from switchyard import documents
from switchyard.answers import _excerpt
from switchyard.client import Client
from switchyard.output import plain
from switchyard.server import background, own_key
from switchyard.tasks import watch

pytestmark = pytest.mark.live
MEETING = "Ilse: It is decided that the pump is replaced in May.\n\nRuben: I will order the seal kit by Friday.\n"


class Stack:
    """An all-in-one process, and the command on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "switchyard", *arguments, "--data-dir", str(self.folder)],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "SWITCHYARD_API_KEY": "", "COLUMNS": "80"},
            check=False,
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, embedded_model_dir: Path) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_PROVIDER", "embedded")
        patch.setenv("EMBEDDED_MODEL_DIR", str(embedded_model_dir))
        patch.delenv("SWITCHYARD_URL", raising=False)
        with background(folder, free_port()):
            own_key(folder)
            yield Stack(folder)


def test_a_folder_is_added_but_for_what_is_bad_which_is_named(stack: Stack, tmp_path: Path) -> None:
    below = tmp_path / "papers" / "below"
    below.mkdir(parents=True)
    (tmp_path / "papers" / "loop").symlink_to(tmp_path / "papers")
    (tmp_path / "papers" / ".hidden.txt").write_text("Nobody reads this.")
    (tmp_path / "papers" / "empty.txt").touch()
    (tmp_path / "papers" / "pier.txt").write_text("The pier is 90 metres long and was built in 1931.")
    (below / "mole.md").write_text("# Mole\n\nThe mole is 400 metres long.")
    ended = stack("add", str(tmp_path / "papers"), str(tmp_path / "missing.txt"))
    assert ended.returncode == 1
    assert "\x1b" not in ended.stdout
    lines = ended.stdout.splitlines()
    assert [line for line in lines if "empty.txt: " in line] == [line for line in lines if "empty" in line] != []
    assert f"  {tmp_path / 'missing.txt'}: No such file or directory" in lines
    assert {line.split(":")[0].strip() for line in lines if "of 2 done" in line} == {"pier.txt", "mole.md"}
    assert lines[-1].startswith("  2 of 4 files were not added")
    again = stack("add", str(below / "mole.md"))
    assert (again.returncode, again.stdout) == (0, "  mole.md had been added before\n")


def test_documents_are_listed_shown_and_removed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "buoy.txt").write_text("Buoy 7 is red and lies 300 metres off the mole.")
    assert stack("add", str(tmp_path / "buoy.txt"), "--collection", "sea").returncode == 0
    assert [line.split()[:2] for line in stack("list", "--collection", "sea").stdout.splitlines()] == [
        ["title", "state"],
        ["buoy", "ready"],
    ]
    shown = stack("show", "buoy.txt", "--collection", "sea", "--text").stdout
    assert "text/plain, 47 B" in shown
    assert "Buoy 7 is red" in shown
    nearly = stack("show", "buo", "--collection", "sea")
    assert nearly.returncode == 1
    assert "did you mean buoy?" in nearly.stderr
    assert "--yes" in stack("rm", "buoy", "--collection", "sea").stderr
    assert stack("rm", "buoy", "--collection", "sea", "--yes").stdout == "deleted buoy: 1 pages, 1 chunks\n"
    assert "no documents" in stack("list", "--collection", "sea").stdout


def test_a_chat_from_a_pipe_answers_every_line_in_one_conversation(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "crane.txt").write_text("The crane lifts 12 tonnes. The crane was painted in 2019.")
    assert stack("add", str(tmp_path / "crane.txt"), "--collection", "yard").returncode == 0
    ended = stack("chat", "--collection", "yard", given="How much does the crane lift?\n\nWhen was it painted?\n")
    assert ended.returncode == 0, ended.stderr
    assert "12 tonnes" in ended.stdout
    assert "2019" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_note_of_a_file_and_of_the_standard_input(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "meeting.txt").write_text(MEETING)
    for ended in (stack("note", str(tmp_path / "meeting.txt"), "--kind", "meeting"), stack("note", "-", given=MEETING)):
        assert ended.returncode == 0, ended.stderr
        assert "pump is replaced in May" in ended.stdout
    assert "missing.txt: No such file" in stack("note", "missing.txt").stderr


class Scripted(Client):
    """A client whose stack answers by the path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9", "")
        self._answers = answers

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self._answers[path]


def job(identity: str, status: str, **given: Any) -> dict[str, Any]:
    numbers = {"pages_done": 1, "pages_total": 1, "chunks_done": 1, "chunks_total": 1}
    fixed = {"waiting_for": None, "error": None, "document_id": f"doc_{identity}"}
    return {"id": identity, "status": status, **numbers, **fixed, **given}


def test_warnings_of_a_document_are_printed_and_nothing_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = [job("a", "ready"), job("b", "failed", error={"detail": "it is\x1b[2J encrypted"})]
    client = Scripted(
        {"/rag/v1/jobs": {"items": jobs}, "/rag/v1/documents/doc_a": {"warnings": ["page 3 could not be read"]}}
    )
    assert not watch(Console(), client, {"a": "good\x1b]0;x\x07.pdf", "b": "bad.pdf"})
    printed = capsys.readouterr().out
    assert "  good]0;x.pdf: page 3 could not be read\n" in printed
    assert "  bad.pdf: it is[2J encrypted\n" in printed
    assert "\x1b" not in printed


def test_a_failed_document_is_listed_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"title": "scan", "status": "failed", "pages": 0, "language": None, "created": "2026-11-26T11:40:57.833Z"}
    failed = {**row, "id": "doc_1", "error": {"detail": "the file is encrypted"}}
    documents.listing(Scripted({"/rag/v1/documents": {"items": [failed], "next_cursor": None}}), "default", "")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "scan   failed  -      -         2026-11-26 11:40  doc_1",
        "  -> the file is encrypted",
    ]


def test_a_row_of_a_table_is_quoted_without_its_rules() -> None:
    assert _excerpt("| Long House | 1,400 m² |") == "Long House · 1,400 m²"
    assert plain("a\tb\nc\x1b[31m\x9b0m\x07") == "a\tb\nc[31m0m"


class Slow(BaseHTTPRequestHandler):
    """Begins every answer; ends those to the questions that are not `first`."""

    asked: list[dict[str, Any]]
    gone: Event

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(given)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self._event("sources", {"items": [], "degraded": [], "conversation_id": "conv_1"})
        self._event("token", {"text": "It begins."})
        if given["question"] == "first":
            self.connection.recv(1)  # until the reader is gone
            self.gone.set()
            return
        seconds = {"retrieval": 0.0, "total": 0.0}
        rest = {"replaced": False, "citations": [], "extractive": False, "degraded": [], "seconds": seconds}
        self._event("done", {"provider": "scripted", **rest})

    def _event(self, name: str, data: dict[str, Any]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def test_ctrl_c_stops_the_answer_and_not_the_chat() -> None:
    handler = type("Handler", (Slow,), {"asked": [], "gone": Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        chat = subprocess.Popen(
            [sys.executable, "-u", "-m", "switchyard", "chat", "--url", f"http://127.0.0.1:{server.server_port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SWITCHYARD_API_KEY": "sy-x"},
            preexec_fn=takes_interrupts,
        )
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("first\n")
        chat.stdin.flush()
        begun = "".join(chat.stdout.read(1) for _ in "It begins.")
        chat.send_signal(signal.SIGINT)
        assert handler.gone.wait(30)
        chat.stdin.write("second\n")
        printed, _ = chat.communicate(timeout=60)
        server.shutdown()
    assert begun == "It begins."
    assert printed.splitlines()[:3] == ["", "  stopped", "It begins."]
    assert chat.returncode == 0
    assert [(given["question"], given["conversation_id"]) for given in handler.asked] == [
        ("first", None),
        ("second", "conv_1"),
    ]


def test_a_folder_is_mirrored_and_what_is_wrong_with_it_is_said(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt", "deep/c.txt"):
        (folder / name).write_text(f"The lighthouse keeper of {name} is called Marit.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")

    def mirror(*more: str) -> subprocess.CompletedProcess[str]:
        return stack("sync", str(folder), "--collection", "mirrored", *more)

    first = mirror()
    assert first.returncode == 1
    assert "3 of 4 files are documents" in first.stdout
    assert first.stdout.count("once more") == 2
    (folder / "broken.pdf").unlink()
    (folder / "a.txt").write_text("The lighthouse keeper of a.txt is called Sanne.")
    (folder / "deep" / "b.txt").rename(folder / "renamed.txt")
    second = mirror()
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.count("sent:") == 2
    assert "3 of 3 files are documents" in second.stdout
    listed = stack("list", "--collection", "mirrored").stdout
    assert listed.count("ready") == 3
    for path in (folder / "a.txt", folder / "renamed.txt", folder / "deep" / "c.txt"):
        path.unlink()
    withheld = mirror()
    assert withheld.returncode == 1
    assert "nothing deleted: 3 of 3" in withheld.stdout
    assert mirror("--max-deletes", "3").returncode == 0
    assert "no documents" in stack("list", "--collection", "mirrored").stdout
    (folder / "deep").rmdir()
    folder.rmdir()
    gone = mirror()
    assert (gone.returncode, "handbook" in gone.stderr) == (1, True)

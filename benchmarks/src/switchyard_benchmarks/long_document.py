"""One long PDF with a text layer: pages read a second, and when its first and its last page are found."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from rich.console import Console

from switchyard.client import Client, StackError
from switchyard_benchmarks.measurements import Measurements
from switchyard_benchmarks.target import Target
from switchyard_benchmarks.texts import document

_POLL_SECONDS = 0.2
_LINES, _WIDTH = 40, 90
COLLECTION = "bench-ingest"


def long_document(console: Console, stack: Target, pages: int, limit: float) -> Measurements:
    """Add a PDF of `pages` pages to a collection of its own, which is deleted at the end.

    Raises `StackError` where it fails, or is not ready within `limit` seconds.
    """
    dice = random.Random(7)  # noqa: S311
    texts = [f"Berth {number} of {time.time():.0f}. {document(dice, 2)}" for number in range(1, pages + 1)]
    content = pdf(texts)
    found = Measurements("A long PDF", {"url": stack.url, "pages": pages, "megabytes": round(len(content) / 1e6, 1)})
    with stack.client() as client:
        try:
            with console.status(f"{pages} pages"):
                _measure(client, content, pages, limit, found)
        finally:
            client.call("DELETE", f"/rag/v1/collections/{COLLECTION}")
    return found


def _measure(client: Client, content: bytes, pages: int, limit: float, found: Measurements) -> None:
    began = time.monotonic()
    form = {"files": [("files", ("long.pdf", content))], "data": {"collection": COLLECTION}}
    job = client.call("POST", "/rag/v1/documents", **form)["items"][0]["job_id"]
    found.about["uploaded after s"] = round(time.monotonic() - began, 2)
    wanted = {"first page found after s": 1, "last page found after s": pages}
    while (state := client.call("GET", f"/rag/v1/jobs/{job}"))["status"] in ("queued", "running") or wanted:
        seconds = round(time.monotonic() - began, 2)
        for name, page in list(wanted.items()):
            body = {"question": f"Berth {page}", "collection": COLLECTION, "limit": 20}
            if any(item["page"] == page for item in client.call("POST", "/rag/v1/search", json=body)["items"]):
                found.about[name] = seconds
                del wanted[name]
        if seconds > limit or state["status"] in ("failed", "cancelled"):
            raise StackError(f"the document is {state['status']} after {seconds:.0f} s: {state['error']}")
        time.sleep(_POLL_SECONDS)
    found.about |= {
        "ready after s": round(time.monotonic() - began, 2),
        "seconds of stages": state["seconds"],
        "pages read a second": round(pages / state["seconds"]["parsing"], 1),
        "chunks": state["chunks_total"],
        "chunks embedded a second": round(state["chunks_total"] / state["seconds"]["embedding"], 1),
    }


def pdf(texts: Sequence[str]) -> bytes:
    """Write a PDF with a text layer in one font, a page for each text (ISO 32000-1, annex H)."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in texts:
        words = "".join(letter if letter.isalnum() or letter in " .," else " " for letter in text)
        lines = [words[start : start + _WIDTH] for start in range(0, min(len(words), _LINES * _WIDTH), _WIDTH)]
        stream = "BT /F1 10 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream".encode())
        kids.append(f"{len(objects) + 1} 0 R")
        about = "/Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page {about} /Contents {len(objects)} 0 R >>".encode())
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)

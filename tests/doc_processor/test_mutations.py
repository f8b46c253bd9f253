"""Damaged files of every format: each is read or refused in time, and no worker dies of one."""

from __future__ import annotations

import io
import random
import zipfile
from collections import Counter
from email.message import EmailMessage

import httpx2
import pytest

from doc_processor.app import create
from harness.made_tables import docx, html, pdf, rows, xlsx

ROUNDS = 1000
SEED = 20261126
SECONDS = 20.0
"""Of CPU, for one damaged file."""


def corpus(samples) -> dict[str, bytes]:
    """A valid file of each format."""
    table = rows(3)[:12]
    message = EmailMessage()
    message["From"], message["Subject"] = "a@b.example", "Stock"
    message.set_content("See below.")
    message.add_alternative("<p>See <b>below</b>.</p>", subtype="html")
    message.add_attachment(xlsx(table), "application", "octet-stream", filename="stock.xlsx")
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    odt = io.BytesIO()
    with zipfile.ZipFile(odt, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f'<o:document-content xmlns:o="{office}office:1.0" xmlns:t="{office}text:1.0"><o:body><o:text><t:h>One</t:h>'
            "<t:p>Words of the text.</t:p></o:text></o:body></o:document-content>",
        )
    return {
        "a.pdf": pdf(table, ruled=True),
        "a.docx": docx(table),
        "a.xlsx": xlsx(table),
        "a.pptx": samples.pptx_with_table(),
        "a.odt": odt.getvalue(),
        "a.rtf": rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard One \b two\b0\par\trowd\cellx1 a\cell\row}",
        "a.html": html(table),
        "a.csv": "\n".join(";".join(row) for row in table).encode(),
        "a.json": b'[{"a": 1, "b": [1, 2]}, {"a": 2, "b": null}]',
        "a.eml": message.as_bytes(),
        "a.md": b"# One\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n# code\n```\n",
        "a.txt": "Größe der Halle\n".encode("cp1252") * 20,
        "a.vtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v Anna>Hello</v>\n",
        "a.png": samples.encoded(samples.picture("words", size=(120, 60)), "PNG"),
    }


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Change bytes, cut, repeat or join parts; of a zip container mostly within a member, which is then packed again."""
    if data.startswith(b"PK") and dice.random() < 0.8:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            names = old.namelist()
            chosen = dice.choice(names)
            for name in names:
                content = old.read(name)
                new.writestr(name, _changed(content, dice) if name == chosen else content)
        return out.getvalue()
    return _changed(data, dice)


def _changed(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 3, 12))):
        at = dice.randrange(max(1, len(changed)))
        match dice.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del changed[at : at + dice.choice((1, 8, 200))]
            case 2:
                changed[at:at] = changed[at : at + 60] * dice.choice((1, 20))
            case 3:
                changed[at:at] = dice.choice(
                    (b"<", b"\x00\x00", b"99999999999", b"\xff\xfe", b"&x;", b"]]>", b"-1", b"{{{", b'"')
                )
            case 4:
                del changed[at : len(changed) if dice.random() < 0.2 else at + 3]
    return bytes(changed)


@pytest.mark.security
async def test_a_thousand_damaged_files(settings, serve, samples) -> None:
    files = corpus(samples)
    dice = random.Random(SEED)
    statuses: Counter[int] = Counter()
    changed = settings.model_copy(update={"page_timeout_seconds": SECONDS})
    async with serve(create(changed)) as url, httpx2.AsyncClient(base_url=url, timeout=120) as http:
        for number in range(ROUNDS):
            name = list(files)[number % len(files)]
            data = mutated(files[name], dice)
            reply = await http.post("/v1/process", files={"file": (name, data)})
            statuses[reply.status_code] += 1
            assert reply.status_code < 500, (number, name, reply.text)
            assert "crashed the parser" not in reply.text, (number, name)
            assert "took too long" not in reply.text, (number, name)
            assert "the parser failed on it" not in reply.text, (number, name)
            assert (await http.get("/livez")).status_code == 200
    assert statuses[200] > ROUNDS / 5
    assert statuses[422] > ROUNDS / 20  # refused, with what is wrong

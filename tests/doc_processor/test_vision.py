from __future__ import annotations

from pathlib import Path

import pytest

from doc_processor.page_reader import PageReader, UploadedFile
from doc_processor.vision import Transcriber
from llm_providers.errors import Overloaded, ProviderError
from llm_providers.testing import FakeLLM


def seeing(answer: str) -> FakeLLM:
    return FakeLLM(answer=lambda request: answer, context_tokens=100_000)


@pytest.fixture
def scan(tmp_path: Path, samples) -> UploadedFile:
    path = tmp_path / "upload"
    path.write_bytes(samples.encoded(samples.picture("The register lies in the shed", size=(1100, 250)), "PNG"))
    return UploadedFile(path, "scan.png", "", "image/png")


async def read(make_pool, source: UploadedFile, provider: FakeLLM, below: float = 1.0):
    """Read a page; nothing is sure enough unless `below` says so."""
    return await PageReader(make_pool(), Transcriber(provider, 10), below).read(source, 1)


async def test_unsure_pages_are_transcribed_and_marked(make_pool, scan) -> None:
    provider = seeing("# Register\n\nThe register lies in the shed.")
    page = await read(make_pool, scan, provider)
    assert (page.engine, page.confidence) == ("vision", None)
    assert page.text == "# Register\n\nThe register lies in the shed."
    assert [note.code for note in page.warnings] == ["vision-transcript"]
    (picture,) = provider.requests[0].messages[-1].images
    assert picture.startswith(b"\xff\xd8")
    assert not list(scan.path.parent.glob("*.jpg"))


async def test_sure_pages_are_not_sent(make_pool, scan) -> None:
    provider = seeing("made up")
    page = await read(make_pool, scan, provider, below=0.6)
    assert page.engine == "rapidocr"
    assert provider.calls == 0


@pytest.mark.parametrize("answer", ["", " \n "])
async def test_ocr_stands_when_vision_says_nothing(make_pool, scan, answer) -> None:
    page = await read(make_pool, scan, seeing(answer))
    assert page.engine == "rapidocr"
    assert page.warnings[-1].code == "vision-failed"


async def test_ocr_stands_when_vision_fails(make_pool, scan) -> None:
    provider = seeing("never said")
    provider.failing(Overloaded("busy"))
    page = await read(make_pool, scan, provider)
    assert page.engine == "rapidocr"
    assert page.warnings[-1].code == "vision-failed"


async def test_a_page_without_text_stays_empty(make_pool, scan) -> None:
    page = await read(make_pool, scan, seeing("NOTHING"))
    assert (page.engine, page.text) == ("vision", "")


async def test_a_cut_transcript_says_so() -> None:
    page = await Transcriber(seeing("word " * 4000), 10).transcribe(b"\xff\xd8")
    assert [note.code for note in page.warnings] == ["vision-transcript", "vision-cut"]


async def test_a_stream_that_breaks_is_an_error() -> None:
    provider = seeing("some words and no end")
    provider.break_with = ProviderError("broken")
    with pytest.raises(ProviderError):
        await Transcriber(provider, 10).transcribe(b"\xff\xd8")

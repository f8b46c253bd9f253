"""The reader of event streams, against the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import pytest

from service_kit.sse import EventReader, encode


def read(*chunks: bytes) -> list[tuple[str, str]]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10")]),
        (
            b": a comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n",
            [("message", "first"), ("message", "second")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", ""), ("message", "\n")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test"), ("message", "test")]),
        (b"event: done\ndata: 1\n\ndata: 2\n\n", [("done", "1"), ("message", "2")]),
        (b"event: alone\n\ndata: 2\n\n", [("message", "2")]),
        (b"retry: 5\nunknown: x\ndata: a: b\n\n", [("message", "a: b")]),
        (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [("message", "1")]),
        ("data: naïve – \u2028x\n\n".encode(), [("message", "naïve – \u2028x")]),
        (b"data: \xff\n\n", [("message", "\ufffd")]),
    ],
)
def test_fields_comments_and_unfinished_events(stream: bytes, events: list[tuple[str, str]]) -> None:
    assert read(stream) == events
    assert read(*(stream[place : place + 1] for place in range(len(stream)))) == events


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_line_ending_wherever_chunks_are_cut(end: bytes, size: int) -> None:
    stream = end.join([b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b""])
    chunks = [stream[place : place + size] for place in range(0, len(stream), size)]
    assert read(*chunks, b"") == [("a", "1\n2"), ("message", "3")]


def test_an_event_is_read_as_soon_as_it_has_ended() -> None:
    reader = EventReader()
    assert list(reader.feed(b"data: 1\r\r")) == [("message", "1")]
    assert list(reader.feed(b"\ndata: 2\r\n\r\n")) == [("message", "2")]


def test_it_reads_what_the_services_write() -> None:
    assert read(encode("token", {"text": "a\r\nb – c"}).encode()) == [("token", '{"text": "a\\r\\nb – c"}')]

from __future__ import annotations

import pytest

from doc_processor.text import clean, decode, tidy


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_decoded_without_a_guess(encoding: str) -> None:
    decoded = decode("Grüße aus Zürich, καλημέρα".encode(encoding))
    assert decoded.text == "Grüße aus Zürich, καλημέρα"
    assert not decoded.guessed
    assert decoded.replaced == 0


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(encoding: str) -> None:
    decoded = decode("A note of the harbour office".encode(encoding))
    assert decoded.text == "A note of the harbour office"
    assert decoded.guessed


def test_other_bytes_are_read_as_windows_1252() -> None:
    decoded = decode("Café “Zur Mühle”, 5 €".encode("cp1252"))
    assert decoded.text == "Café “Zur Mühle”, 5 €"
    assert decoded.encoding == "windows-1252"
    assert decoded.guessed


def test_damaged_utf_8_stays_utf_8() -> None:
    decoded = decode("Grüße, ".encode() * 5 + b"\xff\xfe" + "später".encode())
    assert decoded.encoding == "utf-8"
    assert decoded.replaced == 2
    assert decoded.text.endswith("später")


def test_what_a_database_or_reader_must_not_get_is_removed() -> None:
    hidden = "a\x00b\x07c\u200bd\u202ee\U000e0041f\ufeffg\ud800h\u00adi\x85j"
    assert clean(hidden) == "abcdefghij"
    assert clean(hidden).encode()


def test_joiners_line_breaks_and_tabs_stay() -> None:
    text = "می\u200cخواهم\t👩\u200d🚀\nnext"
    assert clean(text) == text


def test_letter_shapes_become_letters() -> None:
    assert clean("o\ufb03ce \ufedf\ufe8e") == "office لا"


def test_line_ends_are_unified() -> None:
    assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_tidy_leaves_one_blank_line() -> None:
    assert tidy("\n\na  \n\n\n\nb\t\n") == "a\n\nb"

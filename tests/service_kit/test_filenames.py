"""Names of files, as they are shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.filenames import shown


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066a\u2069\u200f.pdf", "a.pdf"),
        ("a\u200b\ufeff\x00\x7f\u2028b\U000e0041.txt", "ab.txt"),
        ("C:\\Users\\ana\\plan.docx", "plan.docx"),
        ("../../etc/passwd", "passwd"),
        ("می\u200cخواهم.pdf", "می\u200cخواهم.pdf"),
        ("Übersicht – 計画.pdf", "Übersicht – 計画.pdf"),
        ("\u202e", "untitled"),
        ("", "untitled"),
        ("n" * 300 + ".docx", "n" * 195 + ".docx"),
    ],
)
def test_what_is_not_seen_is_not_in_a_name(given: str, name: str) -> None:
    assert shown(given) == name


@given(st.text())
def test_a_name_is_printable_and_has_no_path(name: str) -> None:
    made = shown(name)
    assert 0 < len(made) <= 200
    assert not {unicodedata.category(c) for c in made if c not in "\u200c\u200d"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not {"/", "\\"} & set(made)
    assert shown(made) == made

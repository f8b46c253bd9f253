"""The lint finds the patterns that were slow, and passes those that replaced them."""

from __future__ import annotations

import re

import pytest

from patterns.ambiguity import findings
from patterns.discovery import Found, patterns


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"(?m)^ {0,3}(#{1,6})[ \t]+(.+?)[ \t#]*$", "finditer"),
        (r"(?s)\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", "match"),
        (rb"/Type\s*/Pages\b[^>]*/Count\s+0\b|/Count\s+0\b[^>]*/Type\s*/Pages\b", "search"),
        (r"(?m)^(\s*)(#{1,6}\s)", "sub"),
        (rb"(</f>|<f[^>]*/>)\s*(<v\s*/>|<v></v>|</c>)", "findall"),
        (rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", "search"),
        (r"\s*,\s*", "split"),
        (r"<(?=\s*/?\s*sources?\b)", "sub"),
        (r"[,;:.!?()]+\s|\b(?:and|but)\b", "split"),
        (r"[A-Za-z][^\x00-\x7f]+|[^\x00-\x7f]+[A-Za-z]", "findall"),
        (r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"', "findall"),
        (r"^\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]\s*(.*?)\s*$", "match"),
        (r"(a+)+b", "match"),
        (r"(\w+\s?)*$", "match"),
    ],
)
def test_slow_patterns_are_found(pattern: str | bytes, use: str) -> None:
    assert findings(Found(re.compile(pattern), "here", frozenset({use})))


@pytest.mark.parametrize(
    "pattern", [r"\w+", r"(?<!\s)\s++\[", r"\b\w+n't\b", r"\d+(?:[.,]\d+)*", r"<[^<>]*>", r"(?m)^[^\S\n]*+#"]
)
def test_linear_patterns_pass(pattern: str) -> None:
    assert findings(Found(re.compile(pattern), "here", frozenset({"search"}))) == []


def test_no_shipped_pattern_looks_slow_or_is_built_at_run_time() -> None:
    found, unknown = patterns()
    assert unknown == ()
    assert [(each.place, findings(each)) for each in found if findings(each)] == []

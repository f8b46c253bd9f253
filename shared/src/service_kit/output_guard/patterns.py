"""What must not go out, as patterns, and what is put in its place.

Each pattern is bounded, and ends in what can't go on: the text behind it decides whether a match is whole.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import regex

Kind: TypeAlias = Literal["prompt", "secret", "address", "link", "html"]

# A piece of a key, as words are not: a digit in it, or a capital behind a small letter.
_PIECE = r"(?=[A-Za-z_-]{0,200}\d|[A-Za-z0-9_-]{0,200}[a-z][A-Z])[A-Za-z0-9_-]"
_SECRETS = (
    r"\b(?:sy|sk|rk|pk)-" + _PIECE + r"{4,200}(?:[ \t]?\n?[ \t]?(?<=\s)" + _PIECE + r"{10,200}){1,4}(?=[^A-Za-z0-9_-])",
    r"\b(?:sy|sk|rk|pk)-[A-Za-z0-9_-]{16,200}(?=[^A-Za-z0-9_-])",
    r"\b(?:gh[pousr]_|github_pat_|hf_|glpat-|xox[baprs]-)[A-Za-z0-9_-]{16,200}(?=[^A-Za-z0-9_-])",
    r"\bAKIA[0-9A-Z]{16}(?=[^0-9A-Z])",
    r"\beyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{5,2000}(?=[^A-Za-z0-9_-])",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s:,-]{0,3500}?-----END [A-Z ]{0,40}PRIVATE KEY-----",
)
_PORT = r"(?::\d{1,5})?(?=[^\w:])"
_ADDRESSES = (
    r"\b(?:10|127)(?:\.\d{1,3}){3}" + _PORT,
    r"\b(?:192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}" + _PORT,
    r"(?<![\w:])\[?(?i:f[cd][0-9a-f]{2}|fe80):[0-9a-fA-F:]{2,45}(?:%\w{1,15})?\]?" + _PORT,
    r"\[::1\]" + _PORT,
    r"\blocalhost:\d{1,5}(?=\D)",
    r"(?<=[a-z0-9]\.)(?:internal|local|localdomain|svc|lan|intranet)" + _PORT,
    r"\b(?:vllm|ollama|rag-service|notes-service|doc-processor|gateway|postgres|chroma|valkey|redis|prometheus|grafana):\d{2,5}(?=\D)",
    r"Traceback \(most recent call last\):(?:\n[ \t][^\n]{0,300}){0,60}(?=\n[^ \t\n]|\n\n)",
    r"\bFile \"/[^\"\n]{1,300}\", line \d{1,6}(?=\D)",
    r"(?<![\w/.:])/(?:app|data|root|home|usr|var|etc|opt|tmp|run|proc|srv|mnt)/[\w./@+-]{1,300}(?=[^\w./@+-])",
)
# A host of IPv6 stands in brackets.
_CHARACTERS = r"(?:[^\s<>\"')\[\]]|\[(?:[0-9A-Fa-f:.%]{2,50}\])?){1,1000}"
# What leads elsewhere: a scheme, two slashes of either kind, or what a renderer turns into them.
_ELSEWHERE = (
    r"(?:[a-zA-Z][a-zA-Z0-9+.-]{1,20}:(?=\S)|[/\\]{2}|www\.|[^\s<>()&\\]{0,12}(?:&(?:\#\w|[a-zA-Z]{2,8};)|\\[^\w\s]))"
)
_BALANCED = r"[^\s<>()]"
for _ in range(3):
    _BALANCED = r"(?:[^\s<>()]|\(" + _BALANCED + r"{0,300}\))"
_DESTINATION = (
    r"\s{0,3}(?:<(?P<target>" + _ELSEWHERE + r"[^<>\n]{1,1000})>|"
    r"(?P<target>" + _ELSEWHERE + _BALANCED + r"{1,1000}))"
)
_IN_PARENTHESES = r"\(" + _DESTINATION + r"(?:\s{1,3}[\"'(][^\n]{0,200}?[\"')])?\s{0,3}\)"
_LINKS = (
    r"!?\[(?P<text>[^\[\]\n]{0,300})\]" + _IN_PARENTHESES,
    # The end of one whose text has brackets or lines of its own, as that of a linked image.
    r"(?P<end>\])" + _IN_PARENTHESES,
    r"\[[^\[\]\n]{1,300}\]:[ \t]{0,3}\n?" + _DESTINATION + r"(?=[\s<>()])",
    r"<(?P<target>" + _ELSEWHERE + r"[^\s<>\"']{1,1000})>",
    r"\b(?P<target>(?:(?i:https?|ftp)://|(?i:www)\.)" + _CHARACTERS + r")(?=[\s<>\"')\]])",
    r"\b(?P<target>(?i:mailto|xmpp):[^\s<>\"')\]]{1,200}@[^\s<>\"')\]]{1,1000})(?=[\s<>\"')\]])",
)
_ATTRIBUTE = r"[\s/]{1,10}[a-zA-Z:@-]{1,40}(?:\s{0,3}=\s{0,3}(?:\"[^\"]{0,1000}\"|'[^']{0,1000}'|[^\s\"'<>=]{1,1000}))?"
_HTML = (
    r"</?[a-zA-Z][a-zA-Z0-9:-]{0,30}(?:" + _ATTRIBUTE + r"){0,30}\s{0,10}/?>",
    r"<!--.{0,2000}?-->",
)

_UNSEEN = "\u200b\u2060-\u2064\ufeff\u202a-\u202e\U000e0000-\U000e007f"
HIDDEN = regex.compile(f"(?<=[\x00-\x7f])[{_UNSEEN}\u200c\u200d]++|[{_UNSEEN}]++")
"""What nobody sees, and what could split or carry what must not go out; not the joiners of scripts and emoji."""
SCRIPTS = ("javascript:", "vbscript:", "data:", "file:")
"""Addresses that are never a document's to give: a browser would run them, or look at home."""
BEGINNINGS = regex.compile(
    r"(?i:https?|ftp|www|mailto|xmpp|f[cd][0-9a-f]{2}|fe80)|sy|sk|rk|pk|gh[pousr]_\w*|github_pat_\w*|hf_\w*|glpat|xox[baprs]|AKIA\w*|eyJ\w*|localhost|"
    r"Traceback|File|10|127|192|169|172|vllm|ollama|rag|notes|doc|gateway|postgres|chroma|valkey|redis|prometheus|grafana|"
    r"rules|internal|local|localdomain|svc|lan|intranet"
)
"""The words with which a match can begin; any other word needs a sign behind it, as a host's name does, to become one."""


def compiled(canary: str) -> regex.Pattern[str]:
    """Return one pattern whose groups are the kinds; `target`, `text` and `end` are those of a link."""
    kinds: dict[Kind, tuple[str, ...]] = {
        "prompt": (regex.escape(canary),),
        "secret": _SECRETS,
        "link": _LINKS,
        "html": _HTML,
        "address": _ADDRESSES,
    }
    return regex.compile("|".join(f"(?P<{kind}>{'|'.join(found)})" for kind, found in kinds.items()), regex.DOTALL)


def harmless(kind: Kind, match: regex.Match[str]) -> str:
    """Return what stands in the place of a match."""
    found = str(match.group())
    if kind == "html":
        return found.replace("<", "‹").replace(">", "›")
    if kind == "link" and match.group("end"):
        return "]"
    if kind == "link":
        text = (match.group("text") or "").strip()
        return f"{text} (image left out)".strip() if found.startswith("!") else text or "(link left out)"
    return f"({kind} left out)"

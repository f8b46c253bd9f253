"""The media type of a file, from its content; the name only tells text formats apart."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from doc_processor.parsers.base import ParseWarning, Upload
from doc_processor.refusals import Empty, PasswordRequired, Unreadable, Unsupported
from doc_processor.text import decode

PDF = "application/pdf"
PICTURES = PNG, JPEG, TIFF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/webp"
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX, PPTX, XLSX = (
    f"{_OFFICE}wordprocessingml.document",
    f"{_OFFICE}presentationml.presentation",
    f"{_OFFICE}spreadsheetml.sheet",
)
HTML, MARKDOWN, PLAIN, CSV, EML = "text/html", "text/markdown", "text/plain", "text/csv", "message/rfc822"
VTT, SRT = "text/vtt", "application/x-subrip"
"""The second stands for all subtitles but WebVTT."""
_ODF = "application/vnd.oasis.opendocument."
ODT, ODS, ODP = f"{_ODF}text", f"{_ODF}spreadsheet", f"{_ODF}presentation"
RTF, EPUB, JSON, CODE = "application/rtf", "application/epub+zip", "application/json", "text/x-source-code"
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"

SUPPORTED = (
    "PDF, PNG, JPEG, TIFF, WebP, DOCX, PPTX, XLSX, ODT, ODS, ODP, RTF, EPUB, HTML, Markdown, plain text, source code, JSON, CSV, "
    "EML, and subtitles"
)
_HEAD = 8192
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"{\\rtf", RTF),
)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"%!PS", "PostScript"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x7fELF", "ELF program"),
    (b"MZ", "Windows program"),
    (b"ID3", "MP3"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x78\x9f\x3e\x22", "TNEF (winmail.dat)"),
)
_MIMETYPES = {ODT.encode(): ODT, ODS.encode(): ODS, ODP.encode(): ODP, EPUB.encode(): EPUB}
_STREAMS = (("WordDocument", DOC), ("Workbook", XLS), ("Book", XLS), ("PowerPoint Document", PPT))
_PARTS = (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX))
_BY_SUFFIX = {
    ".pdf": PDF, ".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".tif": TIFF, ".tiff": TIFF, ".webp": WEBP,
    ".docx": DOCX, ".pptx": PPTX, ".xlsx": XLSX, ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".md": MARKDOWN,
    ".markdown": MARKDOWN, ".txt": PLAIN, ".text": PLAIN, ".log": PLAIN, ".csv": CSV, ".tsv": CSV, ".eml": EML,
    ".odt": ODT, ".ott": ODT, ".ods": ODS, ".ots": ODS, ".odp": ODP, ".otp": ODP, ".rtf": RTF, ".epub": EPUB, ".doc": DOC,
    ".xls": XLS, ".ppt": PPT, ".json": JSON, ".jsonl": JSON, ".ndjson": JSON, ".geojson": JSON,
    **dict.fromkeys(
        """.py .pyi .js .mjs .ts .tsx .jsx .java .kt .c .h .cc .cpp .hpp .cs .go .rs .rb .php .sh .bash .zsh .ps1 .bat .cmd .sql .r
        .pl .lua .swift .scala .dart .vue .yaml .yml .toml .ini .cfg .conf .env .properties .xml .xsd .css .scss .less .tf .tex
        .gradle .diff .patch .vb .m .jl .proto .graphql""".split(),
        CODE,
    ),
    ".vtt": VTT, ".srt": SRT, ".sbv": SRT, ".ass": SRT, ".ssa": SRT,
}  # fmt: skip
_TEXTUAL = (HTML, MARKDOWN, PLAIN, CSV, EML, VTT, SRT, JSON, CODE)
_SUBTITLES = re.compile(r"\s*(?:(WEBVTT)\b|\d{1,4}[ \t]*\r?\n\d{1,2}:\d{2}:\d{2},\d{3} --> )")
_HTML_START = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.I)
_MAIL_HEADER = re.compile(
    r"^(received|return-path|delivered-to|from|to|cc|subject|date|message-id|mime-version|reply-to|content-type"
    r"|dkim-signature|x-[\w-]+)\s*:",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The media type of the content, and a warning where the file's name says something else."""

    media_type: str
    warnings: tuple[ParseWarning, ...] = ()


def sniff(upload: Upload) -> Sniffed:
    """Raise `Empty`, `Unsupported`, `PasswordRequired` or `Unreadable` where there is nothing to parse."""
    with upload.path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Empty("the file is empty")
    media_type = _binary(head, upload.path) or _textual(head, upload)
    claimed = _BY_SUFFIX.get(PurePosixPath(upload.name.lower()).suffix)
    if claimed is None or claimed == media_type or (claimed in _TEXTUAL and media_type in _TEXTUAL):
        return Sniffed(media_type)
    note = ParseWarning(
        "type-mismatch", f"the name says {claimed}, but the content is {media_type} and was read as that"
    )
    return Sniffed(media_type, (note,))


def has_text_name(name: str) -> bool:
    """Whether a name is that of a text file: whatever looks like text then is one."""
    return _BY_SUFFIX.get(PurePosixPath(name.lower()).suffix) in _TEXTUAL


def _binary(head: bytes, path: Path) -> str | None:
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    # PDF readers accept up to a kilobyte of anything before the header (ISO 32000-1, annex H, note 13).
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _office(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound(path)
    for magic, name in _FOREIGN:
        if head.startswith(magic) and not (len(magic) < 4 and _looks_like_text(head)):
            raise Unsupported(f"{name} files are not read; {SUPPORTED} are")
    return None


def _office(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            kind = archive.open("mimetype").read(100).strip() if "mimetype" in names else b""
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError) as error:
        raise Unreadable("the file is a damaged zip container") from error
    if (media_type := _MIMETYPES.get(kind.removesuffix(b"-template"))) is not None:
        return media_type
    if "[Content_Types].xml" in names:
        for prefix, media_type in _PARTS:
            if any(name.startswith(prefix) for name in names):
                return media_type
    raise Unsupported(f"zip archives are not read unless they are documents; {SUPPORTED} are")


def _compound(path: Path) -> str:
    # MS-OFFCRYPTO wraps a protected DOCX, PPTX or XLSX in a compound file with a stream of this name.
    data = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise PasswordRequired("the document is encrypted and needs a password")
    for stream, media_type in _STREAMS:
        if f"{stream}\0".encode("utf-16-le") in data:
            return media_type
    raise Unsupported(f"files of this older kind (such as .msg) are not read; {SUPPORTED} are")


def _looks_like_text(head: bytes) -> bool:
    text = decode(head).text
    odd = sum(1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\n\r\f\x1b"))
    return odd <= 0.3 * len(text)


def _textual(head: bytes, upload: Upload) -> str:
    if not _looks_like_text(head):
        raise Unsupported(f"the content is none of the formats that are read: {SUPPORTED}")
    suffix = PurePosixPath(upload.name.lower()).suffix
    named = _BY_SUFFIX.get(suffix)
    if named in (None, PLAIN) and (subtitles := _SUBTITLES.match(decode(head).text)):
        return VTT if subtitles[1] else SRT
    if named in _TEXTUAL:
        return named
    if named is not None:
        raise Unreadable(f"the name says {named}, but the content is not: it is damaged, cut short or something else")
    text = decode(head).text
    if _HTML_START.match(_behind_prolog(text)):
        return HTML
    if _is_mail(text):
        return EML
    declared = upload.declared.partition(";")[0].strip().lower()
    return declared if declared in _TEXTUAL else PLAIN


def _behind_prolog(text: str) -> str:
    """Return what follows an XML declaration and comments; empty if one of them does not end."""
    text = text.lstrip()
    if text[:5].lower() == "<?xml":
        text = text.partition(">")[2].lstrip()
    at = 0
    while text.startswith("<!--", at):
        end = text.find("-->", at + 4)
        if end < 0:
            return ""
        at = end + 3
        while text[at : at + 1].isspace():
            at += 1
    return text[at:]


def _is_mail(text: str) -> bool:
    names: set[str] = set()
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line:
            break
        if line[0] in " \t":
            continue
        match = _MAIL_HEADER.match(line)
        if match is None:
            return False
        names.add(match.group(1).lower())
    return "from" in names and len(names) >= 3

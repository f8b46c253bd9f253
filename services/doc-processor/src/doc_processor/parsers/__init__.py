"""One parser per family of formats, as a table; a parser's libraries are imported only when it is used."""

from __future__ import annotations

from importlib import import_module

from doc_processor import sniff
from doc_processor.parsers.base import Opened, ParseLimits, Parser, Upload

_PARSERS = {
    sniff.PDF: "pdf",
    sniff.PNG: "image",
    sniff.JPEG: "image",
    sniff.TIFF: "image",
    sniff.WEBP: "image",
    sniff.DOCX: "docx",
    sniff.PPTX: "pptx",
    sniff.XLSX: "xlsx",
    sniff.HTML: "html",
    sniff.MARKDOWN: "markdown_file",
    sniff.PLAIN: "plain",
    sniff.CSV: "delimited",
    sniff.EML: "mail",
    sniff.VTT: "subtitles",
    sniff.SRT: "subtitles",
    sniff.ODT: "odf",
    sniff.ODS: "odf",
    sniff.ODP: "odf",
    sniff.RTF: "rtf",
    sniff.EPUB: "epub",
    sniff.JSON: "structured",
    sniff.CODE: "source_code",
    sniff.DOC: "legacy",
    sniff.XLS: "legacy",
    sniff.PPT: "legacy",
}


def open_as(media_type: str, upload: Upload, limits: ParseLimits) -> Opened:
    """Open a file as what it was sniffed to be; raises `Refusal`."""
    parser: Parser = import_module(f"doc_processor.parsers.{_PARSERS[media_type]}").parse
    return parser(upload, limits)

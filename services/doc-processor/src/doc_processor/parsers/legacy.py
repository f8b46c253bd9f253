"""Word, Excel and PowerPoint files older than 2007: converted by LibreOffice, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload
from doc_processor.refusals import Unreadable, Unsupported

_PROGRAM = "soffice"
_TARGETS = {sniff.DOC: ("docx", sniff.DOCX), sniff.XLS: ("xlsx", sniff.XLSX), sniff.PPT: ("pptx", sniff.PPTX)}


def parse(upload: Upload, limits: ParseLimits) -> Opened:
    """Raise `Unsupported` with what to do where LibreOffice is missing, `Unreadable` where it cannot convert the file."""
    kind = sniff.sniff(upload).media_type
    suffix, media_type = _TARGETS[kind]
    program = shutil.which(_PROGRAM)
    if program is None:
        raise Unsupported(
            f"files of Office before 2007 are read only where LibreOffice is installed beside the doc-processor; "
            f"install it ({_PROGRAM} must be found), or save the file as {suffix.upper()}"
        )
    # Beside the upload, with which it goes.
    folder = Path(tempfile.mkdtemp(prefix="converted-", dir=upload.path.parent))
    command = [
        program, f"-env:UserInstallation=file://{folder}/profile", "--headless", "--norestore", "--convert-to", suffix,
        "--outdir", str(folder), str(upload.path),
    ]  # fmt: skip
    try:
        subprocess.run(  # noqa: S603
            command, timeout=limits.ocr_seconds, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        made = next(folder.glob(f"*.{suffix}"))
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        raise Unreadable("LibreOffice could not convert the file") from error
    return open_as(media_type, Upload(made, upload.name), limits)

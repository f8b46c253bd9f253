"""Which errors of files and databases are the disk's fault, and which pass in a moment."""

from __future__ import annotations

import errno
import os
import sqlite3

from service_kit.errors import StorageUnavailable

_STORAGE_ERRNO = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE)
_STORAGE_SQLITE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_BUSY_SQLITE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR_BLOCKED,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_NOMEM,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
)
"""Codes, of them some extended ones that look like an I/O error, of a database that others use at this moment."""


def sqlite_code(error: BaseException) -> int | None:
    """Return the primary result code of an SQLite error (https://www.sqlite.org/rescode.html), None for any other."""
    code = _sqlite_extended(error)
    return code & 0xFF if code is not None else None


def _sqlite_extended(error: BaseException) -> int | None:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return code if isinstance(code, int) else None


def sqlite_busy(error: BaseException) -> bool:
    """Whether SQLite could do it in a moment: another connection has the lock, or memory or open files are used up."""
    if sqlite_code(error) == sqlite3.SQLITE_CANTOPEN:
        return _no_file_can_be_opened()
    return sqlite_code(error) in _BUSY_SQLITE or _sqlite_extended(error) in _BUSY_SQLITE


def _no_file_can_be_opened() -> bool:
    # SQLite does not tell why it could not open a file.
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in OUT_OF_FILES
    return False


def storage_fails(error: BaseException) -> bool:
    """Whether the disk is full, read-only, broken or gone; other errors of files, sockets and SQL are not the disk's."""
    if isinstance(error, OSError):
        return error.errno in _STORAGE_ERRNO
    return sqlite_code(error) in _STORAGE_SQLITE and not sqlite_busy(error)


def storage_unavailable() -> StorageUnavailable:
    return StorageUnavailable(
        "The data folder cannot be written: the disk is full, read-only or gone. Nothing of this request was kept; "
        "free some space or make the volume writable, then send the request again."
    )

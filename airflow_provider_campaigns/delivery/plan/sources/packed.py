"""Decompresses files while they are read: gzip, and zip archives with one file in them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from airflow_provider_campaigns.exceptions import InputError

# What a zip archive has of its own beside the files.
_OWN_FOLDERS = frozenset({"__MACOSX"})
# What Windows has in a folder beside the files.
_OWN_FILES = frozenset({"thumbs.db", "desktop.ini"})


@contextmanager
def open_gzip(raw: BinaryIO, where: str) -> Iterator[BinaryIO]:
    """
    Unpack a gzip file, also of several members.

    :raises InputError: while it is read: it is damaged, or ends too early.
    """
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as file:
            yield file  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(where, "a whole gzip file", f"one that is damaged or cut off ({error})") from None


@contextmanager
def open_zip(raw: BinaryIO, where: str) -> Iterator[BinaryIO]:
    """
    Unpack the only file of a zip archive.

    :raises InputError: there is another number of files in it, or it is damaged or encrypted.
    """
    try:
        with ZipFile(raw) as archive, _opened(archive, where) as file:
            yield file
    except (BadZipFile, EOFError, zlib.error) as error:
        raise InputError(where, "a whole zip archive", f"one that is damaged or cut off ({error})") from None


@contextmanager
def _opened(archive: ZipFile, where: str) -> Iterator[BinaryIO]:
    try:
        file = archive.open(_only_file(archive, where))
    except (NotImplementedError, RuntimeError) as error:
        # Encrypted, or in a method that Python does not have; the text names the file in it.
        got = "an encrypted one" if isinstance(error, RuntimeError) else "one packed by another method"
        raise InputError(where, "a zip archive that is packed by deflate, without a password", got) from None
    with file:
        yield file  # type: ignore[misc]


def name_in_zip(raw: BinaryIO, where: str) -> str:
    """
    Return the name of the only file of a zip archive.

    :raises InputError: as ``open_zip``.
    """
    try:
        with ZipFile(raw) as archive:
            return _only_file(archive, where).filename
    except BadZipFile as error:
        raise InputError(where, "a zip archive", f"another file, or a damaged one ({error})") from None


def _only_file(archive: ZipFile, where: str) -> ZipInfo:
    files = [one for one in archive.infolist() if not one.is_dir() and not _is_hidden(one.filename)]
    if len(files) != 1:
        expected = "a zip archive with one file in it (several files: a folder of them, or a list of their paths)"
        raise InputError(where, expected, f"{len(files)} files")
    return files[0]


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part in _OWN_FOLDERS for part in parts) or parts[-1].startswith(".") or parts[-1].lower() in _OWN_FILES


UNPACKERS: Mapping[str, Callable[[BinaryIO, str], AbstractContextManager[BinaryIO]]] = {
    ".gz": open_gzip,
    ".zip": open_zip,
}

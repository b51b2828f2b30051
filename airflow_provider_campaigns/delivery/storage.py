"""Plain paths with pathlib, URLs with Airflow's object storage; files that a crash cannot leave half written."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    # An ObjectStoragePath offers what is used here of pathlib.Path, but is a subclass of it on some versions only.
    AnyPath = Any

# The class of local paths (an ObjectStoragePath may be a pathlib.Path, but never a PosixPath).
LocalPath = type(Path())

# Bytes of a local file that are written at a time: after each write another thread may have its turn, for which this
# one then waits.
BUFFER = 128_000
# Bytes of an upload that are kept in memory while it is made ready; more go to disk.
MOST_IN_MEMORY = 1_000_000


def locate(path: str | os.PathLike[str]) -> AnyPath:
    """
    Return a path object for a local path or a URL such as ``s3://conn_id@bucket/key``.

    URLs need Airflow and the provider of their scheme; ``file://`` URLs are local paths.

    :raises ValueError: no provider knows the scheme (on some versions of Airflow only when the path is used).
    """
    text = str(path)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    if "://" in text:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        return ObjectStoragePath(text)
    return Path(text)


def is_path(value: object) -> bool:
    """Whether ``value`` is a path, as text or as an object."""
    # An ObjectStoragePath is no os.PathLike on every version of Airflow.
    return isinstance(value, (str, os.PathLike)) or hasattr(value, "open")


@contextmanager
def open_text(path: AnyPath) -> Iterator[io.TextIOWrapper]:
    """Open a UTF-8 file, with or without a byte order mark, to be read line by line."""
    with path.open("rb") as raw, as_text(raw) as text:
        yield text


def as_text(raw: BinaryIO) -> io.TextIOWrapper:
    """Return an open UTF-8 file, with or without a byte order mark, as text that can be read line by line."""
    # Handles of object storage, in text and in binary mode, cannot be iterated on Airflow 2.11.
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def write_whole(path: AnyPath, lines: Iterable[bytes]) -> None:
    """
    Write a file so that readers see all of it or nothing, also after a crash or when ``lines`` raise.

    Local: a temporary name, flushed to disk, then renamed. Object storage: one upload.
    """
    if not isinstance(path, LocalPath):
        with SpooledTemporaryFile(MOST_IN_MEMORY) as whole:
            whole.writelines(lines)
            whole.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(whole, file)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb", BUFFER) as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

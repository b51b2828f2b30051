"""Plain paths with pathlib, URLs with Airflow's object storage; files that a crash cannot leave half written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    # An ObjectStoragePath offers what is used here of pathlib.Path, but is no subclass of it on every version.
    AnyPath = Any


def locate(path: str | os.PathLike[str]) -> AnyPath:
    """
    Return a path object for a local path or a URL such as ``s3://conn_id@bucket/key``.

    URLs need Airflow and the provider of their scheme; ``file://`` URLs are local paths.
    """
    text = str(path)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    if "://" in text:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        return ObjectStoragePath(text)
    return Path(text)


def write_whole(path: AnyPath, lines: Iterable[bytes]) -> None:
    """
    Write a file so that readers see all of it or nothing, also after a crash.

    Local: a temporary name, flushed to disk, then renamed. Object storage: one upload.
    """
    if not isinstance(path, Path):
        with path.open("wb") as file:
            file.writelines(lines)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

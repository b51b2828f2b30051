"""Local paths with pathlib, URLs with Airflow's object storage; files are written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.exceptions import InputError

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
# Rights that files and folders with personal data do not have, unless ``[campaigns] outcomes_umask`` says otherwise.
DEFAULT_UMASK = "077"


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
    # Of the class, as a table may have a column of that name.
    return isinstance(value, (str, os.PathLike)) or hasattr(type(value), "open")


@contextmanager
def open_text(path: AnyPath) -> Iterator[io.TextIOWrapper]:
    """Open a UTF-8 file, with or without a byte order mark, to be read line by line."""
    with path.open("rb") as raw, as_text(raw) as text:
        yield text


def as_text(raw: BinaryIO) -> io.TextIOWrapper:
    """Return an open UTF-8 file, with or without a byte order mark, as text that can be read line by line."""
    # Handles of object storage, in text and in binary mode, cannot be iterated on Airflow 2.11.
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def check_root(path: str | os.PathLike[str], field: str) -> None:
    """
    Refuse a path that ``[campaigns] contacts_roots`` does not allow; without that setting every path is.

    :param field: what the path was given as, for the message.
    :raises InputError: it is below none of the setting's paths and URLs.
    """
    roots = [root.strip() for root in setting("contacts_roots").split(",") if root.strip()]
    if roots and not any(_is_below(str(path), root) for root in roots):
        raise InputError(field, "a path or URL below one of [campaigns] contacts_roots", path)


def _is_below(path: str, root: str) -> bool:
    """Whether a path is another one or below it: symbolic links are followed, ``..`` in a URL leads nowhere."""
    if "://" in root and not root.startswith("file://"):
        climbs = ".." in unquote(path).replace("\\", "/").split("/")
        return not climbs and f"{path}/".startswith(f"{root.rstrip('/')}/")
    folder, path = Path(root.removeprefix("file://")), path.removeprefix("file://")
    if not folder.is_absolute():
        raise InputError("[campaigns] contacts_roots", "absolute paths and URLs, separated by commas", root)
    return "://" not in path and Path(path).resolve().is_relative_to(folder.resolve())


def open_regular(path: str, flags: int) -> int:
    """
    Open a file that is one; an ``opener`` for ``open``.

    :raises OSError: it is a folder, a pipe or a device, which may never end.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return descriptor


def write_whole(path: AnyPath, lines: Iterable[bytes]) -> None:
    """
    Write a file so that readers see all of it or nothing, also after a crash or when ``lines`` raise.

    Local: a temporary name, flushed to disk, then renamed. Object storage: one upload. Local files and the folders that
    are made for them have the rights that ``[campaigns] outcomes_umask`` leaves: by default only their owner's.

    :raises InputError: that setting cannot be used.
    """
    if isinstance(path, LocalPath):
        _write_local(path, lines)
        return
    with SpooledTemporaryFile(MOST_IN_MEMORY) as whole:
        whole.writelines(lines)
        whole.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(whole, file)


def _write_local(path: Path, lines: Iterable[bytes]) -> None:
    umask = _umask()
    _make_folder(path.parent, 0o777 & ~umask)
    # A name that cannot be foreseen, and never a link that was put there.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", BUFFER) as file:
            _set_mode(temporary, 0o666 & ~umask)
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


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder and those above it that are missing; others keep their rights."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(0o700)
            _set_mode(one, mode)


def _set_mode(path: Path, mode: int) -> None:
    # The umask of the process counts when a file is made, so this comes afterwards. A file system without rights
    # refuses it, and the owner's rights are all there are.
    with suppress(OSError):
        path.chmod(mode)


def _umask() -> int:
    """
    Return the rights that files and folders are not to have.

    :raises InputError: the setting is no such number, or takes the owner's rights.
    """
    value = setting("outcomes_umask") or DEFAULT_UMASK
    if not re.fullmatch("[0-7]{1,4}", value) or int(value, 8) & 0o7700:
        raise InputError("[campaigns] outcomes_umask", "an octal number from 000 to 077, e.g. 027", repr(value))
    return int(value, 8)

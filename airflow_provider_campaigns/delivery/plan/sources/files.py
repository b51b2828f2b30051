"""Opens files of contacts, and says why one cannot be read (to its end), or is not the one any more that it was."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_campaigns.delivery.storage import LocalPath, as_text, locate, open_regular
from airflow_provider_campaigns.exceptions import InputError


class ContactsFile:
    """
    A file of contacts that must stay as it was when it was opened first: what was checked is what is sent.

    A local one is checked each time that something was read of it, one in object storage when it is opened and when
    it has been read to its end. What is wrong with it becomes an ``InputError`` about ``where``.

    :param path: local path or URL.
    :param where: what it is, for messages.
    """

    def __init__(self, path: str, where: str) -> None:
        self._path = path
        self.where = where
        self._version: Any = None

    @contextmanager
    def text(self) -> Iterator[io.TextIOWrapper]:
        """Open it as UTF-8, with or without a byte order mark."""
        with self.bytes() as raw, as_text(raw) as text:
            yield text

    @contextmanager
    def bytes(self) -> Iterator[BinaryIO]:
        """Open it in binary."""
        with self._readable():
            path = locate(self._path)
            if isinstance(path, LocalPath):
                with _Watched(path, self) as watched, io.BufferedReader(watched) as file:
                    watched.check()
                    yield file
                return
            self.check(_stored(path))
            with path.open("rb") as file:
                yield file
            self.check(_stored(path))

    def check(self, version: Any) -> None:
        """
        Compare the version of this file with the one that was opened first.

        :raises InputError: it is another.
        """
        if self._version is None:
            self._version = version
        elif version != self._version:
            raise InputError(self.where, "the same file as long as it is being sent", "one that was changed meanwhile")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except UnicodeDecodeError as error:
            raise InputError(self.where, "UTF-8 text", f"other bytes ({error.reason})") from None
        except OSError as error:
            raise InputError(self.where, "a file that can be read", error.strerror or type(error).__name__) from None
        except (ImportError, ValueError) as error:
            raise InputError(self.where, "a path, or a URL whose provider is installed", error) from None


class _Watched(io.FileIO):
    """A local file that is compared with what it was at first before anything that was read of it is used."""

    def __init__(self, path: Path, file: ContactsFile) -> None:
        super().__init__(path, opener=open_regular)
        self._file = file

    def readinto(self, buffer: Any) -> int | None:
        read = super().readinto(buffer)
        self.check()
        return read

    def readall(self) -> bytes:
        read = super().readall()
        self.check()
        return read

    def check(self) -> None:
        """Compare it."""
        stat = os.fstat(self.fileno())
        self._file.check((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))


def _stored(path: Any) -> tuple[Any, ...]:
    """Return the version of an object, different for the one that takes its place."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime, *(stat.get(name) for name in ("ETag", "etag", "created"))

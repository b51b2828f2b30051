"""Opens files of contacts, and checks that they do not change while they are sent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from airflow_provider_campaigns.delivery.plan.sources.notes import Notes
from airflow_provider_campaigns.delivery.plan.sources.packed import UNPACKERS, name_in_zip
from airflow_provider_campaigns.delivery.plan.sources.utf8 import LONGEST_LINE, decoded, is_utf8
from airflow_provider_campaigns.delivery.storage import LocalPath, locate, open_regular
from airflow_provider_campaigns.exceptions import InputError


class ContactsFile:
    """
    A file of contacts that must stay as it was when it was opened first: what was checked is what is sent.

    A local one is checked each time that something was read of it, one in object storage when it is opened and when
    it has been read to its end. What is wrong with it becomes an ``InputError`` about ``where``.

    :param path: local path or URL.
    :param where: what it is, for messages.
    :param encoding: of a text file without a byte order mark; None: UTF-8.
    :param delimiter: between the values of a row; None: to be found from the file.
    """

    def __init__(self, path: str, where: str, encoding: str | None = None, delimiter: str | None = None) -> None:
        self._path = path
        self.where = where
        self.encoding = encoding
        self.delimiter = delimiter
        self._version: Any = None

    @property
    def packing(self) -> str:
        """The suffix of the format it is packed in; empty when it is not."""
        suffix = PurePosixPath(self._path).suffix.lower()
        return suffix if suffix in UNPACKERS else ""

    @cached_property
    def suffix(self) -> str:
        """
        The suffix of its format, in lower case: of the file that is packed, if one is.

        :raises InputError: a zip archive cannot be read.
        """
        name = PurePosixPath(self._path)
        if self.packing == ".zip":
            with self.bytes() as raw:
                return PurePosixPath(name_in_zip(raw, self.where)).suffix.lower()
        return PurePosixPath(name.stem if self.packing else name).suffix.lower()

    @contextmanager
    def text(self, notes: Notes, longest_line: int | None = LONGEST_LINE) -> Iterator[io.TextIOWrapper]:
        """
        Open it as text, unpacked, newlines as they are.

        :param notes: what is odd about it is noted there.
        :param longest_line: in bytes; None for no limit.
        """
        with self.unpacked() as raw, decoded(raw, self.where, self.encoding, notes, longest_line) as text:
            yield text

    @contextmanager
    def unpacked(self) -> Iterator[BinaryIO]:
        """Open it in binary, unpacked."""
        with self.bytes() as raw, self._unpacked(raw) as plain:
            yield plain

    def is_utf8(self) -> bool:
        """Whether all of it is UTF-8."""
        with self.unpacked() as raw:
            return is_utf8(raw)

    def _unpacked(self, raw: BinaryIO) -> AbstractContextManager[BinaryIO]:
        unpack = UNPACKERS.get(self.packing)
        return unpack(raw, self.where) if unpack else nullcontext(raw)

    @contextmanager
    def bytes(self) -> Iterator[BinaryIO]:
        """Open it in binary."""
        with self._readable():
            path = locate(self._path)
            if isinstance(path, LocalPath):
                with _WatchedFile(path, self) as watched, io.BufferedReader(watched) as file:
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
        except OSError as error:
            raise InputError(self.where, "a file that can be read", error.strerror or type(error).__name__) from None
        except (ImportError, ValueError) as error:
            raise InputError(self.where, "a path, or a URL whose provider is installed", error) from None


class _WatchedFile(io.FileIO):
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

"""Reads text files of any encoding as UTF-8 without NUL characters, with a limit on the length of lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from airflow_provider_campaigns.delivery.plan.sources.mistaken import not_text
from airflow_provider_campaigns.delivery.plan.sources.notes import NUL_CHARACTERS, Notes
from airflow_provider_campaigns.exceptions import InputError

# Bytes that are decoded at a time.
CHUNK = 16_384
# Bytes of a line: a longer one is no line of a text file, and would be kept in memory as a whole.
LONGEST_LINE = 10_000_000

# Longer ones first, as one begins with another.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LONGEST_MARK = max(map(len, _MARKS))


@contextmanager
def decoded(raw: BinaryIO, where: str, encoding: str | None, notes: Notes, longest: int | None) -> Iterator[Any]:
    """
    Read a file as text, newlines as they are.

    :param encoding: of a file without a byte order mark; None: UTF-8.
    :param notes: NUL characters that were left out, and the encoding if it is another one, are noted there.
    :param longest: bytes of the longest line, None for no limit.
    :raises InputError: while it is read: it is no such text.
    """
    utf8 = Utf8(raw, where, encoding, notes, longest)
    with io.BufferedReader(utf8, CHUNK) as buffered, io.TextIOWrapper(buffered, "utf-8", newline="") as text:
        try:
            yield text
        except UnicodeDecodeError as error:
            raise InputError(where, _wanted(error), f"other bytes ({error.reason})") from None


class Utf8(io.RawIOBase):
    """
    The bytes of a text file, in UTF-8 whatever they were; parameters as of ``decoded``.

    What is UTF-8 already is not decoded here: who reads the text does that.
    """

    def __init__(self, raw: BinaryIO, where: str, encoding: str | None, notes: Notes, longest: int | None) -> None:
        self._raw = raw
        self._where = where
        self._encoding = encoding
        self._notes = notes
        self._longest = longest
        self._decoder: Any = None
        self._pending = memoryview(b"")
        self._begun = False
        self._since_newline = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what fits."""
        while not self._pending:
            chunk = self._raw.read(CHUNK)
            text = self._decoded(chunk if self._begun else self._without_mark(chunk), final=not chunk)
            self._begun = True
            if not chunk and not text:
                self._notes.unfinished = self._since_newline > 0
                return 0
            self._pending = memoryview(self._checked(text))
        size = min(len(buffer), len(self._pending))
        buffer[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def _without_mark(self, chunk: bytes) -> bytes:
        """Find the encoding, and return the file's first bytes without a byte order mark."""
        while len(chunk) < _LONGEST_MARK and (more := self._raw.read(_LONGEST_MARK)):
            chunk += more
        if other := not_text(chunk):
            raise InputError(self._where, "a text file", other)
        mark = next(filter(chunk.startswith, _MARKS), b"")
        encoding = _MARKS.get(mark) or self._encoding or "utf-8"
        if encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding)()
            self._notes.forms[encoding.upper()] = None
        elif chunk.count(0) * 4 > len(chunk):
            likely = "utf-16-le" if chunk[1] == 0 else "utf-16-be"
            expected = f'UTF-8 text, or UTF-16 with a byte order mark (without one, encoding="{likely}" reads it)'
            raise InputError(self._where, expected, "NUL characters beside the others, as in UTF-16")
        return chunk[len(mark) :]

    def _decoded(self, chunk: bytes, *, final: bool) -> bytes:
        return chunk if self._decoder is None else self._decoder.decode(chunk, final).encode()

    def _checked(self, text: bytes) -> bytes:
        """Return UTF-8 without NUL characters, if no line in it is too long."""
        if found := text.count(0):
            self._notes.counts[NUL_CHARACTERS] += found
            text = text.replace(b"\0", b"")
        newline = max(text.rfind(b"\n"), text.rfind(b"\r"))
        self._since_newline = len(text) - newline - 1 + (0 if newline >= 0 else self._since_newline)
        if self._longest is not None and self._since_newline > self._longest:
            raise InputError(self._where, f"lines of at most {self._longest:,} bytes", "a longer one")
        return text


def is_utf8(raw: BinaryIO) -> bool:
    """Whether all of a file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := raw.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _wanted(error: UnicodeDecodeError) -> str:
    """Return what would be right in place of bytes that are no text."""
    if error.encoding != "utf-8":
        return f"text in the encoding {error.encoding}"
    try:
        error.object.decode("cp1252")
    except UnicodeDecodeError:
        return "UTF-8 text, or UTF-16 with a byte order mark; the parameter encoding names another one"
    return 'UTF-8 text; this is likely a Windows file, which the parameter encoding="cp1252" reads'

"""Reads a reply's body piece by piece, undoing its compression, and never more of it than was allowed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# What both transports ask for, and all that they can read.
ACCEPT_ENCODING = "gzip, deflate"

_PIECE = 256 * 1024


class ReplyError(Exception):
    """A reply that cannot be read; its text is ours and holds nothing of the reply."""


class TooLargeError(ReplyError):
    """A reply that is larger than allowed."""


class Body:
    """
    A body as it arrives.

    :param encoding: the ``Content-Encoding`` header.
    :param limit: bytes, before and after decompression.
    :raises ReplyError: it is compressed in a way that was not asked for.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._limit = limit
        self._received = 0
        self._content = bytearray()
        self._decoder = _decoder(encoding.strip().lower())

    def feed(self, data: bytes) -> None:
        """
        Take the next bytes that arrived.

        :raises ReplyError: the body is too large, or not compressed as its header says.
        """
        self._received += len(data)
        self._check(self._received)
        for piece in self._decoder.pieces(data):
            self._check(len(self._content) + len(piece))
            self._content += piece

    def whole(self) -> bytes:
        """
        Return the body.

        :raises ReplyError: its end is missing.
        """
        if self._received:
            self._decoder.check_end()
        return bytes(self._content)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise TooLargeError(f"the reply is larger than {self._limit / 1024 / 1024:g} MB (max_reply_mb)")


class _Plain:
    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        yield data

    def check_end(self) -> None:
        """Accept any end: the libraries compare the length with its header."""


class _Gzip:
    """One gzip stream, or several one after the other; what follows them is passed over."""

    def __init__(self) -> None:
        self._stream = self._begin(b"")

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` decompresses to, a bounded piece at a time."""
        while True:
            if self._stream.eof:
                if not data.startswith(b"\x1f"):
                    return
                self._stream = self._begin(data)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error:
                raise ReplyError("the reply is not compressed as its header says") from None
            data = self._stream.unused_data or self._stream.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < _PIECE:
                return

    def check_end(self) -> None:
        """
        Check that the stream has ended.

        :raises ReplyError: it has not.
        """
        if not self._stream.eof:
            raise ReplyError("the end of the compressed reply is missing")

    def _begin(self, data: bytes) -> zlib._Decompress:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)


class _Deflate(_Gzip):
    """A zlib stream, as RFC 9110 says, or a bare deflate stream, as some servers send."""

    _begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` decompresses to, a bounded piece at a time."""
        if data and not self._begun:
            self._begun = True
            self._stream = self._begin(data)
        return super().pieces(data)

    def _begin(self, data: bytes) -> zlib._Decompress:
        # A zlib stream names its method, deflate, in the first four bits.
        bare = bool(data) and data[0] & 0x0F != zlib.DEFLATED
        return zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)


def _decoder(encoding: str) -> _Plain | _Gzip:
    match encoding:
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
    raise ReplyError("the reply is compressed in a way that was not asked for")

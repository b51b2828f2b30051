"""Fetches files from object storage, several at a time."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from typing import IO, Any

# Files that are on their way at a time.
AT_A_TIME = 8


class FetchedFiles:
    """Reads files of object storage whole; what will be read once more is kept on disk until then."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, int]] = {}
        self._disk: IO[bytes] | None = None

    def read(self, files: Sequence[Any], *, keep: bool) -> Iterator[tuple[Any, BytesIO]]:
        """
        Yield each file with its content, in order.

        :param files: path objects from ``storage.locate``.
        :param keep: they will be read once more.
        """
        with ThreadPoolExecutor(AT_A_TIME, "campaign-outcomes") as threads:
            others = iter(files)
            coming: deque[tuple[Any, Future[bytes] | None]] = deque()

            def order(most: int) -> None:
                for file in islice(others, most):
                    coming.append((file, None if str(file) in self._kept else threads.submit(_content, file)))

            order(AT_A_TIME)
            while coming:
                file, content = coming.popleft()
                order(1)
                yield file, BytesIO(self._take(file) if content is None else self._given(file, content.result(), keep))

    def _given(self, file: Any, content: bytes, keep: bool) -> bytes:
        if keep:
            # Private, and gone with this object.
            self._disk = self._disk or tempfile.TemporaryFile()  # noqa: SIM115
            self._kept[str(file)] = (self._disk.seek(0, 2), len(content))
            self._disk.write(content)
        return content

    def _take(self, file: Any) -> bytes:
        assert self._disk is not None
        start, length = self._kept[str(file)]
        self._disk.seek(start)
        return self._disk.read(length)


def _content(file: Any) -> bytes:
    with file.open("rb") as opened:
        content: bytes = opened.read()
        return content

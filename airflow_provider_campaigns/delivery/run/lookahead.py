"""Reads the next batches in a thread, while the main thread waits for the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, takewhile
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Lookahead(Generic[Item]):
    """
    An iterator that can be read ahead, within ``with``.

    Until ``fetch`` is called for the first time, items are read by whoever asks for them: what a source needs to be
    opened, such as Airflow's connections, may be had in the main thread only.

    :param items: used by one thread at a time.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._fetched: deque[Item] = deque()
        self._fetching: Future[list[Item]] | None = None
        self._left = False

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, "campaign-reader")
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        self._thread.shutdown()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if not self._fetched and self._fetching:
            fetching, self._fetching = self._fetching, None
            self._fetched.extend(fetching.result())
        return self._fetched.popleft() if self._fetched else next(self._items)

    def fetch(self, most: int) -> None:
        """Read on in the background until ``most`` items are there; what that raises comes with the next item."""
        missing = most - len(self._fetched)
        if missing > 0 and self._fetching is None:
            self._fetching = self._thread.submit(self._read, missing)

    def _read(self, most: int) -> list[Item]:
        return list(takewhile(lambda _: not self._left, islice(self._items, most)))

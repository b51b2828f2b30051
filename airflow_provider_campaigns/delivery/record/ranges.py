"""Ranges of source rows, first and last included, in which the ledger is written; independent of batch sizes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Ranges that a message shows.
SHOWN = 10


class Rows(NamedTuple):
    """Rows ``first`` to ``last`` of the source, counted from 1."""

    first: int
    last: int


class RowSet:
    """A set of rows kept as sorted ranges; adjoining ranges are joined, so a run without gaps stays one pair."""

    def __init__(self, ranges: Iterable[Iterable[int]] = ()) -> None:
        self._ranges: list[Rows] = []
        for first, last in ranges:
            self.add(Rows(first, last))

    def __iter__(self) -> Iterator[Rows]:
        return iter(self._ranges)

    def __contains__(self, row: int) -> bool:
        at = bisect_right(self._ranges, (row, float("inf"))) - 1
        return at >= 0 and row <= self._ranges[at].last

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(last - first + 1 for first, last in self._ranges)

    def __str__(self) -> str:
        """Return the first few ranges, for a message."""
        shown = [f"{first}" if first == last else f"{first}-{last}" for first, last in self._ranges[:SHOWN]]
        return ", ".join([*shown, *(["..."] if len(self._ranges) > SHOWN else [])])

    @property
    def parts(self) -> int:
        """The number of ranges."""
        return len(self._ranges)

    def copy(self) -> RowSet:
        """Return a copy."""
        other = RowSet()
        other._ranges = list(self._ranges)
        return other

    def add(self, rows: Rows) -> None:
        """Add ``rows``; they may overlap what is there."""
        at = bisect_right(self._ranges, rows)
        while at > 0 and self._ranges[at - 1].last >= rows.first - 1:
            at -= 1
            rows = Rows(min(self._ranges[at].first, rows.first), max(self._ranges[at].last, rows.last))
            del self._ranges[at]
        while at < len(self._ranges) and self._ranges[at].first <= rows.last + 1:
            rows = Rows(rows.first, max(rows.last, self._ranges[at].last))
            del self._ranges[at]
        self._ranges.insert(at, rows)

    def remove(self, rows: Rows) -> None:
        """Take ``rows`` out, as far as they are in."""
        begin = end = max(0, bisect_right(self._ranges, (rows.first, float("inf"))) - 1)
        kept: list[Rows] = []
        while end < len(self._ranges) and self._ranges[end].first <= rows.last:
            first, last = self._ranges[end]
            if first < rows.first:
                kept.append(Rows(first, min(last, rows.first - 1)))
            if last > rows.last:
                kept.append(Rows(max(first, rows.last + 1), last))
            end += 1
        self._ranges[begin:end] = kept

    def discard(self, other: Iterable[Rows]) -> None:
        """Take every range of ``other`` out."""
        for rows in other:
            self.remove(rows)

    def update(self, other: Iterable[Rows]) -> None:
        """Add every range of ``other``."""
        for rows in _joined(other):
            self.add(rows)


def _joined(ranges: Iterable[Rows]) -> Iterator[Rows]:
    """Yield ranges, those that follow one another as one: a thousand rows in order are added at once."""
    joined: Rows | None = None
    for rows in ranges:
        if joined and rows.first == joined.last + 1:
            joined = Rows(joined.first, rows.last)
            continue
        if joined:
            yield joined
        joined = rows
    if joined:
        yield joined

"""Spools the rows of shards to disk, so that memory does not grow with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

# Rows that are handed to the disk at a time.
ROWS_AT_A_TIME = 2_000
# The place of the first row that no earlier try had.
ADDED = 1 << 40


class ShardSpool:
    """Rows on their way into their shards."""

    def __init__(self) -> None:
        # An empty name is a private temporary database, deleted when closed.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        key = "PRIMARY KEY (shard, place)) WITHOUT ROWID"
        self._db.execute(f"CREATE TABLE lines (shard INTEGER, place INTEGER, line BLOB, {key}")
        self._db.execute("CREATE TABLE earlier (digest BLOB, place INTEGER, PRIMARY KEY (digest, place)) WITHOUT ROWID")
        self._db.execute("BEGIN")
        self._waiting: list[tuple[int, int, bytes]] = []
        self._added = ADDED
        self._has_earlier = False

    def note_earlier(self, digests: Iterable[bytes]) -> None:
        """Take note of the rows that a shard had, in their order."""
        self._db.executemany("INSERT INTO earlier VALUES (?, ?)", ((one, place) for place, one in enumerate(digests)))
        self._has_earlier = True

    def add(self, shard: int, digest: bytes, line: bytes) -> None:
        """Add the next row."""
        self._waiting.append((shard, self._place(digest), line))
        if len(self._waiting) == ROWS_AT_A_TIME:
            self._flush()

    def _place(self, digest: bytes) -> int:
        if self._has_earlier:
            (place,) = self._db.execute("SELECT min(place) FROM earlier WHERE digest = ?", (digest,)).fetchone()
            if place is not None:
                self._db.execute("DELETE FROM earlier WHERE digest = ? AND place = ?", (digest, place))
                return int(place)
        self._added += 1
        return self._added

    def _flush(self) -> None:
        self._db.executemany("INSERT INTO lines VALUES (?, ?, ?)", self._waiting)
        self._waiting.clear()

    def shards(self) -> list[int]:
        """Return the shards that rows are in."""
        self._flush()
        return [shard for (shard,) in self._db.execute("SELECT DISTINCT shard FROM lines ORDER BY shard")]

    def lines(self, shard: int) -> Iterator[bytes]:
        """Yield the rows of a shard in order."""
        self._flush()
        rows = self._db.execute("SELECT line FROM lines WHERE shard = ? ORDER BY place", (shard,))
        return (line for (line,) in rows)

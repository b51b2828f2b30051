"""A set of keys on disk: contacts seen already, and opt-outs."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection


class KeySet:
    """A set of strings on disk, so that memory stays flat however many there are."""

    def __init__(self) -> None:
        # An empty name is a private temporary database, deleted when closed; sqlite keeps a small cache in memory.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, key: str) -> None:
        """Add ``key``."""
        self._db.execute("INSERT OR IGNORE INTO keys VALUES (?)", (key,))

    def add_all(self, keys: Collection[str]) -> set[str]:
        """Add a few hundred different ``keys``; return those that were there."""
        there = self.find(keys)
        if keys:
            all_of = ", ".join(["(?)"] * len(keys))
            self._db.execute(f"INSERT OR IGNORE INTO keys VALUES {all_of}", tuple(keys))  # noqa: S608 - marks only
        return there

    def find(self, keys: Collection[str]) -> set[str]:
        """Return those of up to some thousand ``keys`` that are there."""
        if not keys:
            return set()
        one_of = ", ".join("?" * len(keys))
        found = self._db.execute(f"SELECT key FROM keys WHERE key IN ({one_of})", tuple(keys))  # noqa: S608 - marks only
        return {key for (key,) in found}

    def digest(self) -> str:
        """Return a digest that is different for another set."""
        found = hashlib.sha256()
        for (key,) in self._db.execute("SELECT key FROM keys ORDER BY key"):
            found.update(f"{key}\n".encode())
        return found.hexdigest()

    def __contains__(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM keys WHERE key = ?", (key,)).fetchone() is not None

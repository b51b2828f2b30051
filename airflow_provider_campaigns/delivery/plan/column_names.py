"""Finds columns in another spelling (case, blanks, ``_``, ``-``), and suggests the most similar one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from difflib import get_close_matches

from airflow_provider_campaigns.exceptions import InputError

log = logging.getLogger(__name__)

# Rows that are dicts may have any number of different columns; of so many the names are kept.
MOST_HEADERS = 1_000

# With what is not seen: soft hyphens, zero-width characters, byte order marks.
_BETWEEN_WORDS = re.compile(r"[\s_\u00ad\u200b-\u200f\u2060\ufeff-]+")


def plain_name(name: str) -> str:
    """Return a column's name in lower case, without what stands between its words."""
    return _BETWEEN_WORDS.sub("", name).lower()


class OwnNames:
    """
    Finds wanted columns among those of a source.

    :param wanted: their names.
    :param exact: a column with the very name counts, whatever others there are; else two are an error.
    """

    def __init__(self, wanted: Iterable[str], *, exact: bool = False) -> None:
        self._wanted = {plain_name(name): name for name in wanted}
        self._exact = exact
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def renames(self, columns: Iterable[str]) -> dict[str, str]:
        """
        Return the columns that are wanted ones in another spelling, with the wanted names; mostly there are none.

        :raises InputError: two columns are one of them.
        """
        columns = tuple(columns)
        found = self._known.get(columns)
        if found is None:
            if len(self._known) >= MOST_HEADERS:
                self._known.clear()
            if (found := self._find(columns)) and not any(self._known.values()):
                log.info("Columns taken for others: %s", ", ".join(f"{a!r} is {b!r}" for a, b in found.items()))
            self._known[columns] = found
        return found

    def _find(self, columns: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for column in columns:
            name = self._wanted.get(plain_name(column))
            if name is None or (self._exact and name != column and name in columns):
                continue
            if name in found.values():
                both = [other for other in columns if self._wanted.get(plain_name(other)) == name]
                raise InputError("columns", f"one column for {name!r}", " and ".join(map(repr, both)))
            found[column] = name
        return {column: name for column, name in found.items() if column != name}


def did_you_mean(wanted: Iterable[str], columns: Iterable[str]) -> str:
    """Return what to add to an error about a column that is missing: which one it may be, or nothing."""
    plain = {plain_name(column): column for column in columns}
    near = [found for name in wanted for found in get_close_matches(plain_name(name), plain, n=1, cutoff=0.6)]
    return f" (did you mean {plain[near[0]]!r}? The parameter columns says which column is which)" if near else ""

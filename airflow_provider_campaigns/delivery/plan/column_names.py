"""Columns that a person named: equal to a vendor's field but for case, blanks and underscores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_provider_campaigns.exceptions import InputError

# Rows that are dicts may have any number of different columns; of so many the names are kept.
MOST_HEADERS = 1_000

_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def plain_name(name: str) -> str:
    """Return a column's name in lower case, without what stands between its words."""
    return _BETWEEN_WORDS.sub("", name).lower()


class OwnNames:
    """
    Finds the vendor's fields among the columns of a source.

    :param own: the vendor's fields.
    """

    def __init__(self, own: Sequence[str]) -> None:
        self._own = {plain_name(name): name for name in own}
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def renames(self, columns: Iterable[str]) -> dict[str, str]:
        """
        Return the columns that are vendor's fields in another spelling, with the fields' names; mostly there are none.

        :raises InputError: two columns are one field.
        """
        columns = tuple(columns)
        found = self._known.get(columns)
        if found is None:
            if len(self._known) >= MOST_HEADERS:
                self._known.clear()
            found = self._known[columns] = self._find(columns)
        return found

    def _find(self, columns: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for column in columns:
            name = self._own.get(plain_name(column))
            if name is None:
                continue
            if name in found.values():
                both = [other for other in columns if self._own.get(plain_name(other)) == name]
                raise InputError("columns", f"one column for {name!r}", " and ".join(map(repr, both)))
            found[column] = name
        return {column: name for column, name in found.items() if column != name}

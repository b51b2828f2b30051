"""What every source yields: numbered rows, with a reason for each that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from airflow_provider_campaigns.exceptions import InputError

Fields = Mapping[str, Any]

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+|\+\d{6,15}|\d{10,15}")

# How many rows are looked at for a column that a source without a header may have.
ROWS_TO_KNOW_COLUMNS = 100


class Row(NamedTuple):
    """
    One row of the source.

    :param number: counted from 1; a CSV header is not counted.
    :param fields: the row's values by column; text as it stands in a CSV file.
    :param problem: why the row cannot be read, None when it can.
    """

    number: int
    fields: Fields
    problem: str | None = None

    def __repr__(self) -> str:
        return f"Row(number={self.number}, problem={self.problem!r})"


@dataclass(frozen=True, slots=True)
class Source:
    """
    Contacts that can be read again and again.

    :param name: for messages: the parameter's name, with the path if there is one.
    :param read: returns a new stream of rows.
    :param columns: the header, None when rows need not have the same columns.
    :param count: returns how many rows there are, having read all; only for a source that need not make them for that.
    """

    name: str
    read: Callable[[], Iterator[Row]]
    columns: Sequence[str] | None = None
    count: Callable[[], int] | None = None

    def rows_with(self, groups: Iterable[Sequence[str]]) -> Iterator[Row]:
        """
        Return a new stream of rows, having checked that of each group of columns the source has at least one.

        :raises InputError: a group is missing, or the source holds nothing at all.
        """
        rows = self.read()
        first = list(islice(rows, ROWS_TO_KNOW_COLUMNS))
        if not first:
            raise InputError(self.name, "at least one contact", "none")
        columns = self.columns or list(dict.fromkeys(name for row in first for name in row.fields))
        if not columns and any(row.problem for row in first):
            raise InputError(self.name, "rows that can be read", f"row {first[0].number}: {first[0].problem}")
        for group in groups:
            if not set(group) & set(columns):
                wanted = f"a column {' or '.join(map(repr, group))}"
                raise InputError(self.name, wanted, f"columns {', '.join(map(repr, columns))}")
        return chain(first, rows)


def rows_of(values: Iterable[Any], plain: bool = False) -> Iterator[Row]:
    """
    Yield the rows that objects are.

    :param plain: text and numbers become the only column of their row.
    """
    return (row_of(number, value, plain) for number, value in enumerate(values, 1))


def row_of(number: int, value: Any, plain: bool = False) -> Row:
    """Return the row that one object is; what is no object is a row that cannot be read."""
    if isinstance(value, Mapping):
        return Row(number, {str(name): content for name, content in value.items()})
    if plain and isinstance(value, (str, int)):
        return Row(number, {"contact": value})
    return Row(number, {}, f"expected an object, got {type(value).__name__}")


def checked_columns(columns: Sequence[str], where: str) -> list[str]:
    """
    Return the names of a table's columns.

    :param where: the source's name, for messages.
    :raises InputError: a name is missing, or there twice, or one is an address: these are no names but a contact.
    """
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise InputError(where, "each column once", f"{', '.join(map(repr, repeated))} more than once")
    if any(map(_ADDRESS.fullmatch, columns)):
        raise InputError(where, "a header", f"columns {', '.join(map(repr, columns))}")
    if not all(column.strip() for column in columns):
        raise InputError(where, "a name for each column", f"columns {', '.join(map(repr, columns))}")
    return list(columns)

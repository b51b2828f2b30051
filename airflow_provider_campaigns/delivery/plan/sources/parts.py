"""Joins the parts of a source to one stream of rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_campaigns.delivery.plan.sources.notes import EMPTY_FILES, Notes
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, Source, shown_columns
from airflow_provider_campaigns.exceptions import InputError

RowsOf = Generator[Row, None, int]
"""Yields rows, and returns the number of the last one."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    One file of contacts.

    :param where: which it is, for messages.
    :param read: returns a new stream of its rows, given the number of the first one.
    :param columns: the header, None when rows need not have the same columns.
    :param count: returns how many rows there are, having read all; only where rows need not be made for that.
    """

    where: str
    read: Callable[[int, Notes], RowsOf]
    columns: Sequence[str] | None = None
    count: Callable[[Notes], int] | None = None


def source_of(parts: Sequence[Part], name: str, empty: int = 0) -> Source:
    """
    Return the rows of all parts, in order, numbered from 1.

    :param name: for messages.
    :param empty: how many files without contacts there are beside them.
    :raises InputError: the columns are not the same everywhere.
    """
    tables = [part for part in parts if part.columns is not None]
    for part in tables[1:]:
        if set(part.columns or ()) != set(tables[0].columns or ()):
            expected = f"the columns of {tables[0].where}: {shown_columns(tables[0].columns or ())}"
            raise InputError(part.where, expected, f"columns {shown_columns(part.columns or ())}")
    reported = False

    def report(notes: Notes) -> None:
        nonlocal reported
        if not reported:
            reported = True
            notes.counts[EMPTY_FILES] += empty
            notes.report(name)

    def read() -> Iterator[Row]:
        notes, number = Notes(), 0
        for part in parts:
            number = yield from part.read(number + 1, notes)
        report(notes)

    def count() -> int:
        notes = Notes()
        rows = sum(part.count(notes) for part in parts if part.count)
        report(notes)
        return rows

    columns = tables[0].columns if len(tables) == len(parts) else None
    return Source(name, read, columns, count if all(part.count for part in parts) else None)

"""CSV files: a header, then one contact per record."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, Source, checked_columns
from airflow_provider_campaigns.exceptions import InputError

# A field longer than this is a broken quote, not a contact.
LONGEST_FIELD = 1_000_000
# Characters that are read at a time where nothing but their number is of interest.
CHUNK = 10_000
# What csv says of a quote that is still open where the file ends.
_ENDS_IN_QUOTES = "unexpected end of data"


def open_csv(file: ContactsFile, plain: bool = False) -> Source:
    """
    Return the contacts of a CSV file; all values are text, as it stands there.

    :raises InputError: it cannot be opened, or has no proper header.
    """

    def records() -> Iterator[list[str] | str]:
        with file.text() as text:
            lines = _lines(text)
            _header(lines, file.where)
            yield from _records(lines, file.where)

    def read() -> Iterator[Row]:
        width = len(columns)
        for number, values in enumerate(records(), 1):
            if isinstance(values, str):
                yield Row(number, {}, values)
            elif len(values) == width:
                yield Row(number, dict(zip(columns, values, strict=False)))
            else:
                yield Row(number, {}, f"{len(values)} values for {width} columns")

    def count() -> int:
        with file.text() as text:
            number = _plain_lines(text)
        return sum(1 for _ in records()) if number is None else number - 1

    with file.text() as text:
        columns = _header(_lines(text), file.where)
    return Source(file.where, read, columns, count)


def _plain_lines(text: TextIOWrapper) -> int | None:
    """Return how many lines there are if each is a record: none has quotes, is blank, or very long; else None."""
    lines, before = 0, "\n"
    # What ends a line for csv does so here, too.
    text.reconfigure(newline=None)
    while some := text.read(CHUNK):
        if '"' in some or "\n" not in some or "\n\n" in before + some:
            return None
        lines += some.count("\n")
        before = some[-1]
    return lines + (before != "\n")


def _lines(text: Any) -> Any:
    csv.field_size_limit(LONGEST_FIELD)
    # Strict: a quote that is never closed would otherwise swallow the contacts after it.
    return csv.reader(text, strict=True)


def _header(lines: Any, where: str) -> list[str]:
    try:
        header: list[str] = next(filter(None, lines), [])
    except csv.Error as error:
        raise InputError(where, "CSV", error) from None
    if not header:
        raise InputError(where, "a header and at least one contact", "an empty file")
    return checked_columns(header, where)


def _records(lines: Any, where: str) -> Iterator[list[str] | str]:
    """Yield the values of each record, or why it cannot be read."""
    number = 0
    while True:
        line = lines.line_num
        try:
            # A million records are read in a loop, not one by one.
            for values in lines:
                line = lines.line_num
                if values:
                    number += 1
                    yield values
        except csv.Error as error:
            number += 1
            if lines.line_num > line + 1 or str(error) == _ENDS_IN_QUOTES:
                # A quote that was not closed in its line has swallowed others, an unknown number.
                raise InputError(where, "CSV", f"row {number}: {error}") from None
            yield f"not CSV: {error}"
        else:
            return

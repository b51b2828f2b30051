"""Text files with a header and one contact per record: .csv, .tsv and .txt."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.delimiters import (
    LONGEST_FIELD,
    find_delimiter,
    is_blank,
    said_in,
)
from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.mistaken import is_json
from airflow_provider_campaigns.delivery.plan.sources.notes import BLANK_ROWS, EMPTY_COLUMNS, Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, RowsOf
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, checked_columns
from airflow_provider_campaigns.exceptions import InputError, NoContactsError

# Characters that are read at a time where nothing but their number is of interest.
CHUNK = 10_000
# Characters of a file by which it is known how it is written.
SAMPLE = 10_000
# Characters of a record, over all its lines: a longer one is no contact, and would be kept in memory as a whole.
LONGEST_RECORD = 2_000_000
# What csv says of a quote that is still open where the file ends.
_ENDS_IN_QUOTES = "unexpected end of data"
_QUOTES = " (a quote within quotes is written twice)"
_NAMES = {";": "semicolon-separated", "\t": "tab-separated", "|": "separated by |"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """
    How a file is written.

    :param columns: the header, without the blank names at its end.
    :param delimiter: between the values of a row.
    :param says_so: the first line is ``sep=`` and the delimiter.
    :param empty: how many blank names were at the end of the header.
    """

    columns: list[str]
    delimiter: str
    says_so: bool
    empty: int

    def note(self, notes: Notes) -> None:
        """Note what is odd about the header."""
        if self.delimiter in _NAMES:
            notes.forms[_NAMES[self.delimiter]] = None
        notes.counts[EMPTY_COLUMNS] += self.empty

    def note_end(self, notes: Notes, where: str) -> None:
        """Note what is odd about the end: with several columns, a row that was cut off lacks some."""
        if len(self.columns) == 1 and notes.unfinished:
            notes.cut_off = where

    def pass_said(self, text: TextIOWrapper) -> None:
        """Read as far as to the header."""
        if self.says_so:
            next(line for line in text if line.strip())


def open_csv(file: ContactsFile, plain: bool = False) -> Part:
    """
    Return the contacts of a text file; all values are text, as it stands there.

    :raises InputError: it cannot be opened, or has no proper header.
    """
    with file.text(Notes()) as text:
        layout = _layout(text, file)

    def records(notes: Notes) -> Iterator[list[str] | str]:
        layout.note(notes)
        with file.text(notes) as text:
            layout.pass_said(text)
            lines = _Lines(text, file.where)
            reader = _reader(lines, layout.delimiter)
            next(row for row in reader if not is_blank(row))
            yield from _records(reader, lines, notes)
        layout.note_end(notes, file.where)

    def read(first: int, notes: Notes) -> RowsOf:
        columns, width, number = layout.columns, len(layout.columns), first - 1
        for number, values in enumerate(records(notes), first):
            if isinstance(values, str):
                yield Row(number, {}, values)
            elif len(values) == width or (len(values) > width and is_blank(values[width:])):
                yield Row(number, dict(zip(columns, values, strict=False)))
            else:
                yield Row(number, {}, f"{len(values)} values for {width} columns")
        return number

    def count(notes: Notes) -> int:
        quick = Notes()
        layout.note(quick)
        with file.text(quick) as text:
            lines = _plain_lines(text, layout.delimiter)
        if lines is None:
            return sum(1 for _ in records(notes))
        layout.note_end(quick, file.where)
        notes.add(quick)
        return lines - 1 - layout.says_so

    return Part(file.where, read, layout.columns, count)


def _layout(text: TextIOWrapper, file: ContactsFile) -> _Layout:
    """Return how a file is written, from its first lines."""
    sample = StringIO(text.read(SAMPLE) + text.readline(), newline="")
    first = next((line for line in sample if line.strip()), "")
    if is_json(first):
        raise InputError(file.where, "a header", "JSON (its name ends in .json, or .jsonl with an object per line)")
    said = said_in(first)
    rest = sample.read() if said else first + sample.read()
    delimiter = file.delimiter or said or find_delimiter(rest, "\t" if file.suffix == ".tsv" else ",")
    try:
        header: list[str] = next(
            (row for row in _reader(StringIO(rest, newline=""), delimiter) if not is_blank(row)), []
        )
    except csv.Error as error:
        raise InputError(file.where, "CSV", error) from None
    if not header:
        raise NoContactsError(file.where, "a header and at least one contact", "an empty file")
    named = len(header)
    while not header[named - 1].strip():
        named -= 1
    return _Layout(checked_columns(header[:named], file.where), delimiter, said is not None, len(header) - named)


def _plain_lines(text: TextIOWrapper, delimiter: str) -> int | None:
    """Return how many lines there are if each is a record: none has quotes, is blank, or very long; else None."""
    blank = re.compile(rf"\n[\s{re.escape(delimiter)}]*\n")
    lines, rest = 0, "\n"
    # What ends a line for csv does so here, too.
    text.reconfigure(newline=None)
    while some := text.read(CHUNK):
        if '"' in some or "\n" not in some or blank.search(rest + some):
            return None
        lines += some.count("\n")
        rest = some[some.rindex("\n") :]
    return None if blank.search(f"{rest}\n") and rest != "\n" else lines + (rest != "\n")


def _reader(lines: Any, delimiter: str) -> Any:
    csv.field_size_limit(LONGEST_FIELD)
    # Strict: a quote that is never closed would otherwise swallow the contacts after it.
    return csv.reader(lines, delimiter=delimiter, strict=True)


class _Lines:
    """
    The lines of a file, of which no record is endless: quotes may hold any number of them.

    :param where: for messages.
    """

    def __init__(self, text: Iterable[str], where: str) -> None:
        self.where = where
        self.since_record = 0
        self._text = text

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.since_record += len(line)
            # A longer line is a text without a newline, which has a limit of its own.
            if self.since_record - len(line) > LONGEST_RECORD:
                raise InputError(self.where, f"rows of at most {LONGEST_RECORD:,} characters", "a longer one")
            yield line


def _records(reader: Any, lines: _Lines, notes: Notes) -> Iterator[list[str] | str]:
    """Yield the values of each record, or why it cannot be read."""
    number = 0
    while True:
        line, lines.since_record = reader.line_num, 0
        try:
            # A million records are read in a loop, not one by one.
            for values in reader:
                line, lines.since_record = reader.line_num, 0
                if values and ((values[0] and not values[0].isspace()) or not is_blank(values)):
                    number += 1
                    yield values
                else:
                    notes.counts[BLANK_ROWS] += 1
        except csv.Error as error:
            number += 1
            if reader.line_num > line + 1 or str(error) == _ENDS_IN_QUOTES:
                # A quote that was not closed in its line has swallowed others, an unknown number.
                raise InputError(lines.where, "CSV", f"row {number}: {error}") from None
            yield f"not CSV: {error}" + (_QUOTES if "expected after" in str(error) else "")
        else:
            return

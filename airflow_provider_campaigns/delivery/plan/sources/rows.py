"""What every source yields: numbered rows, with a reason for each that cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from airflow_provider_campaigns.delivery.plan.column_names import did_you_mean
from airflow_provider_campaigns.exceptions import InputError, NoContactsError
from airflow_provider_campaigns.identity import UnreadableError, read_email, read_phone
from airflow_provider_campaigns.masking import mask

Fields = Mapping[str, Any]

PLAIN = ""
"""The column of a row that is a plain value; no table has one of that name."""

# How many rows are read to find out which columns a source without a header has.
ROWS_TO_KNOW_COLUMNS = 100
# Characters of a header that a message shows.
LONGEST_HEADER_SHOWN = 80
# Under a title, or a header in two lines.
HEADER = " (no row fits them: the first row that is not blank has to be the header)"
INDEX = " (pandas writes its index first unless it is given index=False)"


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

    def rows_with(
        self, groups: Iterable[Sequence[str]], names: Callable[[Iterable[str]], Iterable[str]] = iter
    ) -> Iterator[Row]:
        """
        Return a new stream of rows, having checked that of each group of columns the source has at least one.

        :param names: returns what the columns of a row are called in ``groups``; default as they are named.
        :raises InputError: a group is missing, or the source holds nothing at all; what ``names`` raises.
        """
        rows = self.read()
        first = list(islice(rows, ROWS_TO_KNOW_COLUMNS))
        if not first:
            raise NoContactsError(self.name, "at least one contact", "none")
        headers: Iterable[Iterable[str]] = [self.columns] if self.columns else (row.fields for row in first)
        columns = list(dict.fromkeys(name for header in headers for name in names(header)))
        if not columns and any(row.problem for row in first):
            raise InputError(self.name, "rows that can be read", f"row {first[0].number}: {first[0].problem}")
        for group in groups:
            if not set(group) & set(columns):
                wanted = f"a column {' or '.join(map(repr, group))}"
                hint = did_you_mean(group, columns) or (HEADER if all(row.problem for row in first) else "")
                raise InputError(self.name, wanted, f"columns {shown_columns(columns)}{hint}")
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
        return Row(number, {PLAIN: value})
    return Row(number, {}, f"expected an object, got {type(value).__name__}")


def shown_columns(columns: Iterable[str]) -> str:
    """Return names of columns for a message: masked and cut, as any text of a file may stand in a header's place."""
    text = mask(", ".join(map(repr, columns)))
    return text if len(text) <= LONGEST_HEADER_SHOWN else f"{text[:LONGEST_HEADER_SHOWN]}..."


def checked_columns(columns: Sequence[str], where: str) -> list[str]:
    """
    Return the names of a table's columns.

    :param where: the source's name, for messages.
    :raises InputError: a name is missing, or there twice, or one is an address: these are no names but a contact.
    """
    if any("\0" in column for column in columns):
        raise InputError(where, "UTF-8 text", "NUL characters, as in UTF-16 text without a byte order mark")
    repeated = sorted(column for column, times in Counter(columns).items() if times > 1)
    if repeated:
        raise InputError(where, "each column once", f"{shown_columns(repeated)} more than once")
    if any(map(_is_address, columns)):
        raise InputError(where, "a header", f"columns {shown_columns(columns)}")
    if not all(column.strip() for column in columns):
        got = f"columns {shown_columns(columns)}{INDEX if not columns[0].strip() else ''}"
        raise InputError(where, "a name for each column", got)
    return list(columns)


def _is_address(name: str) -> bool:
    """Whether a column's name is a person: an e-mail address, or a phone number of ten digits, with ``+`` of six."""
    for read in (read_email, read_phone):
        with suppress(UnreadableError):
            person = read(name)
            return person.kind == "email" or len(person.text) >= (7 if person.text.startswith("+") else 10)
    return False

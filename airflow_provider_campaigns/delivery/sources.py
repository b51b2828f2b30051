"""Where contacts come from: a list, or a .csv, .jsonl or .json file; read as a stream, as often as needed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, TextIO

from airflow_provider_campaigns.delivery.storage import is_path, locate, open_text
from airflow_provider_campaigns.exceptions import InputError

Fields = Mapping[str, Any]

# A field longer than this is a broken quote, not a contact.
LONGEST_FIELD = 1_000_000
# How many rows are looked at for a column that a source without a header may have.
ROWS_TO_KNOW_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row of the source.

    :param number: counted from 1; a CSV header is not counted.
    :param fields: the row's values by column; text as it stands in a CSV file.
    :param problem: why the row cannot be read, None when it can.
    """

    number: int
    fields: Fields = field(repr=False)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """
    Contacts that can be read again and again.

    :param name: for messages: the parameter's name, with the path if there is one.
    :param read: returns a new stream of rows.
    :param columns: the header, None when rows need not have the same columns.
    """

    name: str
    read: Callable[[], Iterator[Row]]
    columns: Sequence[str] | None = None

    def require(self, groups: Iterable[Sequence[str]]) -> None:
        """
        Check that of each group of columns the source has at least one.

        :raises InputError: a group is missing, or the source holds nothing at all.
        """
        seen = list(islice(self.read(), ROWS_TO_KNOW_COLUMNS))
        if not seen:
            raise InputError(self.name, "at least one contact", "none")
        columns = self.columns or list(dict.fromkeys(name for row in seen for name in row.fields))
        if not columns and any(row.problem for row in seen):
            raise InputError(self.name, "rows that can be read", f"row {seen[0].number}: {seen[0].problem}")
        for group in groups:
            if not set(group) & set(columns):
                wanted = f"a column {' or '.join(map(repr, group))}"
                raise InputError(self.name, wanted, f"columns {', '.join(map(repr, columns))}")

    def count(self) -> int:
        """
        Read everything once and return the number of rows.

        :raises InputError: the source cannot be read to its end.
        """
        return sum(1 for _ in self.read())


def open_source(contacts: Any, name: str = "contacts", *, plain: bool = False) -> Source:
    """
    Return the source behind an operator's ``contacts`` or ``exclude``.

    :param contacts: an iterable of dicts, or the path or URL of a .csv, .jsonl (.ndjson) or .json file; CSV is UTF-8
        with or without a byte order mark and has a header; a .json file holds an array of objects (and is read into
        memory whole, the others are streamed).
    :param name: the parameter's name, for messages.
    :param plain: in place of a dict there may be plain text or a number, which becomes the only column of its row.
    :raises InputError: none of these, or the file cannot be opened.
    """
    if isinstance(contacts, str) and contacts.lstrip().startswith("["):
        # A template that an upstream task's list was rendered into.
        try:
            contacts = json.loads(contacts)
        except (ValueError, RecursionError):
            raise InputError(
                name,
                "a list, a path, or the output of an upstream task (`upstream.output`)",
                "text that starts with '[' and is not JSON; set render_template_as_native_obj=True on the DAG",
            ) from None
    if is_path(contacts):
        return _file(str(contacts), name, plain)
    if isinstance(contacts, Mapping) or not isinstance(contacts, Iterable):
        raise InputError(name, "a list of dicts, or a path or URL", type(contacts).__name__)
    values = list(contacts)
    return Source(name, lambda: _rows(values, plain))


def _file(path: str, name: str, plain: bool) -> Source:
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json_array}
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in readers:
        raise InputError(name, f"a file that ends in {', '.join(readers)}", path)
    where = f"{name} ({path})"

    def read() -> Iterator[Row]:
        with _text(path, where) as text:
            yield from readers[suffix](text, where, plain)

    columns = None
    if suffix == ".csv":
        with _text(path, where) as text:
            columns = _header(text, where)
    return Source(where, read, columns)


@contextmanager
def _text(path: str, where: str) -> Iterator[TextIO]:
    """Open a file, and say in an InputError why it cannot be read (to its end)."""
    try:
        with open_text(locate(path)) as text:
            yield text
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(where, "UTF-8 text", f"other bytes ({error.reason})") from None
    except csv.Error as error:
        raise InputError(where, "CSV", error) from None
    except OSError as error:
        raise InputError(where, "a file that can be read", error.strerror or type(error).__name__) from None
    except (ImportError, ValueError) as error:
        raise InputError(where, "a path, or a URL whose provider is installed", error) from None


def _header(text: TextIO, where: str) -> list[str]:
    header = next(_lines_of_csv(text), [])
    if not header:
        raise InputError(where, "a header and at least one contact", "an empty file")
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise InputError(where, "each column once", f"{', '.join(map(repr, repeated))} more than once")
    if not all(column.strip() for column in header):
        raise InputError(where, "a name for each column", f"columns {', '.join(map(repr, header))}")
    return header


def _lines_of_csv(text: TextIO) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_FIELD)
    # Strict: a quote that is never closed would otherwise swallow the contacts after it.
    return (values for values in csv.reader(text, strict=True) if values)


def _csv(text: TextIO, where: str, plain: bool) -> Iterator[Row]:
    lines = _lines_of_csv(text)
    header = next(lines, [])
    number = 0
    try:
        for number, values in enumerate(lines, 1):
            problem = None
            if len(values) != len(header):
                problem = f"{len(values)} values for {len(header)} columns"
            yield Row(number, dict(zip(header, values, strict=False)), problem)
    except csv.Error as error:
        raise InputError(where, "CSV", f"row {number + 1}: {error}") from None


def _json_lines(text: TextIO, where: str, plain: bool) -> Iterator[Row]:
    lines = (line for line in text if line.strip())
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, {}, "not JSON")
        else:
            yield _row(number, value, plain)


def _json_array(text: TextIO, where: str, plain: bool) -> Iterator[Row]:
    whole = text.read()
    try:
        values = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise InputError(where, "a JSON array of objects", f"no JSON ({error})") from None
    if not isinstance(values, list):
        raise InputError(where, "a JSON array of objects", type(values).__name__)
    return _rows(values, plain)


def _rows(values: Iterable[Any], plain: bool) -> Iterator[Row]:
    return (_row(number, value, plain) for number, value in enumerate(values, 1))


def _row(number: int, value: Any, plain: bool) -> Row:
    if isinstance(value, Mapping):
        return Row(number, {str(name): content for name, content in value.items()})
    if plain and isinstance(value, (str, int)):
        return Row(number, {"contact": value})
    return Row(number, {}, f"expected an object, got {type(value).__name__}")

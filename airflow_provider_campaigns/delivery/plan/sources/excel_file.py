"""
Excel workbooks, of which the first visible sheet is read; needs python-calamine (extra ``excel``).

calamine keeps a sheet in memory, empty cells included, and ends the process when there is not enough of it. So it is
given a copy of the workbook's parts, whose size was checked.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from airflow_provider_campaigns.delivery.plan.sources.arrow_values import whole_number
from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.notes import BLANK_ROWS, EMPTY_COLUMNS, Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, RowsOf
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, checked_columns
from airflow_provider_campaigns.delivery.plan.sources.used_cells import UsedCells
from airflow_provider_campaigns.delivery.plan.sources.values import json_value, no_json
from airflow_provider_campaigns.exceptions import InputError, NoContactsError

# Bytes of a workbook, unpacked, and cells of a sheet, empty ones included: calamine takes some 25 bytes for each.
LARGEST_WORKBOOK = 300_000_000
MOST_CELLS = 10_000_000
_CHUNK = 1_000_000
# What of a workbook is its sheets and what they refer to; the rest is pictures and the like.
_NEEDED = re.compile(
    r"\[Content_Types\]\.xml|(_rels|docProps|xl(/(_rels|worksheets|worksheets/_rels|theme|tables))?)/[^/]+"
)
_SHEETS = "xl/worksheets/"
_TOO_LARGE = (
    f"a workbook of at most {LARGEST_WORKBOOK // 1_000_000} MB, unpacked, with at most {MOST_CELLS:,} cells to a sheet "
    "(a .csv file may be of any size)"
)


def open_excel(file: ContactsFile, plain: bool = False) -> Part:
    """
    Return the contacts of a workbook's first sheet, whose first row that is not blank is the header.

    Numbers that are whole are whole numbers, dates and times ISO 8601.

    :raises InputError: it cannot be opened, is too large, or python-calamine is not installed.
    """

    @cache
    def rows() -> list[list[Any]]:
        return list(_rows(file, found))

    found = Notes()
    header = _header(rows(), file.where)
    columns = checked_columns(_named(header), file.where)
    found.counts[EMPTY_COLUMNS] += len(header) - len(columns)

    def read(first: int, notes: Notes) -> RowsOf:
        width, number = len(columns), first - 1
        notes.add(found)
        for number, values in enumerate(islice(rows(), 1, None), first):
            yield _row(number, columns, values[:width], values[width:], notes)
        return number

    def count(notes: Notes) -> int:
        notes.add(found)
        return len(rows()) - 1

    return Part(file.where, read, columns, count)


def _row(number: int, columns: list[str], values: list[Any], more: list[Any], notes: Notes) -> Row:
    if not _is_blank(more):
        return Row(number, {}, f"{len(values) + len(more)} values for {len(columns)} columns")
    fields = dict.fromkeys(columns, "") | dict(zip(columns, values, strict=False))
    try:
        return Row(number, {name: _value(value, notes) for name, value in fields.items()})
    except ValueError:
        return Row(number, {}, no_json(fields))


def _value(value: Any, notes: Notes) -> Any:
    return whole_number(value, notes) if isinstance(value, float) else json_value(value)


def _header(rows: Sequence[list[Any]], where: str) -> list[str]:
    if not rows:
        raise NoContactsError(where, "a header and at least one contact", "an empty sheet")
    return [str(_value(name, Notes())) for name in rows[0]]


def _named(header: list[str]) -> list[str]:
    """Return a header without the blank names at its end."""
    named = len(header)
    while not header[named - 1].strip():
        named -= 1
    return header[:named]


def _is_blank(values: list[Any]) -> bool:
    return not any(not isinstance(value, str) or value.strip() for value in values)


def _rows(file: ContactsFile, notes: Notes) -> Iterator[list[Any]]:
    """Yield the rows that are not blank."""
    for row in _sheet_rows(file, notes):
        if _is_blank(row):
            notes.counts[BLANK_ROWS] += 1
        else:
            yield row


def _sheet_rows(file: ContactsFile, notes: Notes) -> Iterator[list[Any]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum
    except ImportError:
        needed = "python-calamine, for Excel files: pip install 'airflow-provider-campaigns[excel]'"
        raise InputError(file.where, needed, "no python-calamine") from None
    with file.bytes() as raw:
        copy = _checked_copy(raw, file.where, notes)
    try:
        workbook = CalamineWorkbook.from_filelike(copy)
        names = [one.name for one in workbook.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
        sheet = workbook.get_sheet_by_name(names[0])
        # calamine panics at a sheet without cells.
        rows = sheet.iter_rows() if sheet.start is not None else iter(())
    except (CalamineError, IndexError) as error:
        raise InputError(file.where, "an Excel workbook that can be read", error) from None
    if len(names) > 1:
        notes.forms[f"the first of {len(names)} sheets"] = None
    yield from rows


def _checked_copy(raw: BinaryIO, where: str, notes: Notes) -> io.BytesIO:
    """
    Return a workbook's parts in a new archive.

    :param notes: that it has hidden rows is noted there.
    :raises InputError: it is none, or too large.
    """
    copy, size = io.BytesIO(), 0
    try:
        with ZipFile(raw) as archive, ZipFile(copy, "w", ZIP_DEFLATED, compresslevel=1) as checked:
            for name in dict.fromkeys(archive.namelist()):
                if not _NEEDED.fullmatch(name):
                    continue
                with archive.open(name) as part, checked.open(name, "w") as target:
                    used = UsedCells() if name.startswith(_SHEETS) else None
                    while chunk := part.read(_CHUNK):
                        size += target.write(chunk)
                        if size > LARGEST_WORKBOOK or (used and used.count(chunk) > MOST_CELLS):
                            raise InputError(where, _TOO_LARGE, "a larger one")
                    if used and used.hidden_rows:
                        notes.forms["rows that Excel hides, as by a filter, are read, too"] = None
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error):
        expected = "an Excel workbook (.xlsx) without a password"
        raise InputError(where, expected, "another file, or one that is damaged or encrypted") from None
    copy.seek(0)
    return copy

"""JSON files: an object per line, or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.notes import BLANK_ROWS, Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, RowsOf
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, row_of, shown_columns
from airflow_provider_campaigns.exceptions import InputError

# Characters of a file that is kept in memory as a whole.
LARGEST_ARRAY = 256_000_000
_ARRAY = " (an array's file ends in .json)"


def open_json_lines(file: ContactsFile, plain: bool = False) -> Part:
    """Return the contacts of a file with one JSON object per line; other lines are rows that cannot be read."""

    def read(first: int, notes: Notes) -> RowsOf:
        number = first - 1
        with file.text(notes) as text:
            for number, line in enumerate(_lines(text, notes), first):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    yield Row(number, {}, "not JSON" + (_ARRAY if line.lstrip().startswith("[") else ""))
                else:
                    yield row_of(number, value, plain)
        return number

    return Part(file.where, read)


def _lines(text: Any, notes: Notes) -> Iterator[str]:
    for line in text:
        if not line.isspace():
            # Of a file that was put behind another one.
            yield line.removeprefix("\ufeff")
        else:
            notes.counts[BLANK_ROWS] += 1


def open_json_array(file: ContactsFile, plain: bool = False) -> Part:
    """Return the contacts of a file with a JSON array of objects, which is parsed once and kept in memory."""

    @cache
    def values() -> list[Any]:
        with file.text(Notes(), longest_line=None) as text:
            content = text.read(LARGEST_ARRAY + 1)
        if len(content) > LARGEST_ARRAY:
            expected = f"at most {LARGEST_ARRAY:,} characters (.jsonl files, an object per line, may be longer)"
            raise InputError(file.where, expected, "more")
        return _array(content, file.where)

    def read(first: int, notes: Notes) -> RowsOf:
        number = first - 1
        for number, value in enumerate(values(), first):
            yield row_of(number, value, plain)
        return number

    return Part(file.where, read)


def _array(text: str, where: str) -> list[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        expected = "a JSON array of objects (a file with an object per line ends in .jsonl)"
        raise InputError(where, expected, f"no JSON ({error})") from None
    if isinstance(values, dict):
        # As pandas writes it unless it is given another form, or an API that wraps its lists.
        expected = "a JSON array of objects (pandas: to_json(orient='records'))"
        raise InputError(where, expected, f"one object with {shown_columns(values)}")
    if not isinstance(values, list):
        raise InputError(where, "a JSON array of objects", type(values).__name__)
    return values

"""JSON files: an object per line, or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, Source, row_of, rows_of
from airflow_provider_campaigns.exceptions import InputError


def open_json_lines(file: ContactsFile, plain: bool = False) -> Source:
    """Return the contacts of a file with one JSON object per line; other lines are rows that cannot be read."""

    def read() -> Iterator[Row]:
        with file.text() as text:
            yield from _rows(text, plain)

    return Source(file.where, read)


def _rows(text: Iterable[str], plain: bool) -> Iterator[Row]:
    lines = (line for line in text if line.strip())
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, {}, "not JSON")
        else:
            yield row_of(number, value, plain)


def open_json_array(file: ContactsFile, plain: bool = False) -> Source:
    """Return the contacts of a file with a JSON array of objects, which is parsed once and kept in memory."""

    @cache
    def values() -> list[Any]:
        with file.text() as text:
            return _array(text.read(), file.where)

    return Source(file.where, lambda: rows_of(values(), plain))


def _array(text: str, where: str) -> list[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(where, "a JSON array of objects", f"no JSON ({error})") from None
    if not isinstance(values, list):
        raise InputError(where, "a JSON array of objects", type(values).__name__)
    return values

"""Reads a source of which one value per row is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.rows import PLAIN, Source
from airflow_provider_campaigns.exceptions import InputError


def values_of(source: Source, column: str | None = None) -> Iterator[Any]:
    """
    Yield the value of each row.

    :param column: the column that has it; default: the only one.
    :raises InputError: a row cannot be read, or does not have it.
    """
    for row in source.read():
        if row.problem:
            raise InputError(source.name, "rows that can be read", f"row {row.number}: {row.problem}")
        if PLAIN in row.fields:
            yield row.fields[PLAIN]
            continue
        name = column or (next(iter(row.fields)) if len(row.fields) == 1 else None)
        if name is None or name not in row.fields:
            expected = f"a column {column!r}" if column else "one column, or the parameter column"
            raise InputError(source.name, expected, f"row {row.number} with {len(row.fields)} columns")
        yield row.fields[name]

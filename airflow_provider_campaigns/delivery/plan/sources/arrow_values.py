"""Converts batches of Arrow (Parquet files, DataFrames) to rows of JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.plan.sources.notes import WHOLE_NUMBERS, Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import RowsOf
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, checked_columns
from airflow_provider_campaigns.delivery.plan.sources.values import json_value, no_json

if TYPE_CHECKING:
    import pyarrow

# Rows that are in memory at a time.
BATCH = 5_000

# Whole numbers up to here are exact in floats of so many bits; a larger one may have lost its last digits.
EXACT = {16: 2**11, 32: 2**24, 64: 2**53}

# What pandas calls an index that has no name of its own.
_INDEX = re.compile(r"__index_level_\d+__")


def columns_of(names: Iterable[str], where: str) -> list[str]:
    """
    Return the columns of a table, without the nameless index of a DataFrame.

    :raises InputError: they are no names.
    """
    return checked_columns([name for name in names if not _INDEX.fullmatch(name)], where)


def rows_of_batches(batches: Iterable[pyarrow.RecordBatch], columns: Sequence[str], first: int, notes: Notes) -> RowsOf:
    """
    Yield the rows of a table.

    Text, whole numbers and booleans are taken as they are, and dates, times, decimals and bytes as text. pandas turns
    whole numbers into floats when one of them is missing: a float that is a whole number becomes one again, NaN is
    None.
    """
    for batch in batches:
        problems: dict[int, str] = {}
        values = [_values(name, batch.column(name), problems, notes) for name in columns]
        for index, row in enumerate(zip(*values, strict=True)):
            if index in problems:
                yield Row(first + index, {}, problems[index])
            else:
                yield Row(first + index, dict(zip(columns, row, strict=True)))
        first += batch.num_rows
    return first - 1


def _values(name: str, column: pyarrow.Array, problems: dict[int, str], notes: Notes) -> list[Any]:
    """Return a column's values, and note the rows whose value cannot be had."""
    values: list[Any] = _without_nanoseconds(column).to_pylist()
    convert = _converter(column.type, notes)
    if convert is None:
        return values
    for index, value in enumerate(values):
        if value is not None:
            try:
                values[index] = convert(value)
            except ValueError:
                problems[index] = no_json({name: value})
    return values


def _without_nanoseconds(column: pyarrow.Array) -> pyarrow.Array:
    """Return a column in types that Python has."""
    import pyarrow as pa

    kind = column.type
    if getattr(kind, "unit", None) != "ns":
        return column
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    return column.cast(pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us"), safe=False)


def _converter(kind: pyarrow.DataType, notes: Notes) -> Callable[[Any], Any] | None:
    """Return what makes values of a column JSON's, None when they are."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _converter(kind.value_type, notes)
    if types.is_floating(kind):
        most = EXACT[kind.bit_width]
        return lambda value: whole_number(value, notes, most)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind):
        return None
    return json_value


def whole_number(value: float, notes: Notes, most: int = EXACT[64]) -> float | None:
    """
    Return a float as the whole number that it is, None for NaN and infinity; anything else stays.

    :param most: the largest whole number that is exact.
    """
    if not isfinite(value):
        return None
    if not value.is_integer() or abs(value) > most:
        return value
    notes.counts[WHOLE_NUMBERS] += 1
    return int(value)

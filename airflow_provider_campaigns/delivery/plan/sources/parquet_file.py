"""Parquet files, read in batches of rows, one row group after the other; needs pyarrow (extra ``parquet``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, Source, checked_columns
from airflow_provider_campaigns.delivery.plan.sources.values import json_value, no_json
from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

# Rows that are in memory at a time.
BATCH = 5_000
# Bytes of a column that are read at a time, in place of all that a row group has of it.
BUFFER = 1_000_000

# Whole numbers up to here are exact in floats of so many bits; a larger one may have lost its last digits.
EXACT = {16: 2**11, 32: 2**24, 64: 2**53}

# What pandas calls an index that has no name of its own.
_INDEX = re.compile(r"__index_level_\d+__")


def open_parquet(file: ContactsFile, plain: bool = False) -> Source:
    """
    Return the contacts of a Parquet file.

    Text, whole numbers and booleans are taken as they are, and dates, times, decimals and bytes as text. pandas turns
    whole numbers into floats when one of them is missing: a float that is a whole number becomes one again, NaN is
    None. The index of a DataFrame is left out unless it has a name.

    :raises InputError: it cannot be opened, or pyarrow is not installed.
    """

    def read() -> Iterator[Row]:
        with _opened(file) as parquet:
            yield from _rows(parquet, _columns(parquet, file.where))

    with _opened(file) as parquet:
        columns = _columns(parquet, file.where)
    return Source(file.where, read, columns)


@contextmanager
def _opened(file: ContactsFile) -> Iterator[ParquetFile]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        needed = "pyarrow, for .parquet files: pip install 'airflow-provider-campaigns[parquet]'"
        raise InputError(file.where, needed, "no pyarrow") from None
    with file.bytes() as raw:
        try:
            with ParquetFile(raw, buffer_size=BUFFER, coerce_int96_timestamp_unit="us") as parquet:
                yield parquet
        except InputError:
            raise
        except (ArrowException, ValueError, OverflowError) as error:
            raise InputError(file.where, "a Parquet file that can be read", error) from None


def _columns(file: ParquetFile, where: str) -> list[str]:
    return checked_columns([name for name in file.schema_arrow.names if not _INDEX.fullmatch(name)], where)


def _rows(file: ParquetFile, columns: list[str]) -> Iterator[Row]:
    first = 1
    for batch in file.iter_batches(BATCH, columns=columns):
        problems: dict[int, str] = {}
        values = [_values(name, batch.column(name), problems) for name in columns]
        for index, row in enumerate(zip(*values, strict=True)):
            if index in problems:
                yield Row(first + index, {}, problems[index])
            else:
                yield Row(first + index, dict(zip(columns, row, strict=True)))
        first += batch.num_rows


def _values(name: str, column: pyarrow.Array, problems: dict[int, str]) -> list[Any]:
    """Return a column's values, and note the rows whose value cannot be had."""
    values: list[Any] = _without_nanoseconds(column).to_pylist()
    convert = _converter(column.type)
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


def _converter(kind: pyarrow.DataType) -> Callable[[Any], Any] | None:
    """Return what makes values of a column JSON's, None when they are."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _converter(kind.value_type)
    if types.is_floating(kind):
        most = EXACT[kind.bit_width]
        return lambda value: _number(value, most)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind):
        return None
    return json_value


def _number(value: float, most: int) -> float | None:
    if not isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= most else value

"""DataFrames and tables: whatever has the Arrow PyCapsule interface, or can become dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.arrow_values import (
    BATCH,
    columns_of,
    rows_of_batches,
    whole_number,
)
from airflow_provider_campaigns.delivery.plan.sources.notes import Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, RowsOf
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, checked_columns, row_of
from airflow_provider_campaigns.delivery.plan.sources.values import json_value, no_json
from airflow_provider_campaigns.exceptions import InputError

# What pandas has in place of a value that is missing.
_MISSING = frozenset({"NAType", "NaTType"})


def is_frame(value: object) -> bool:
    """Whether ``value`` is a table: of pandas, polars, pyarrow, or anything else with Arrow's interface."""
    kind = type(value)
    # A column of one is no table.
    return not hasattr(kind, "to_frame") and (hasattr(kind, "__arrow_c_stream__") or hasattr(kind, "to_dict"))


def open_frame(frame: Any, name: str) -> Part:
    """
    Return the contacts of a table, which stays in memory, their values as of a Parquet file.

    :raises InputError: it has no columns with names.
    """
    table = _arrow_table(frame)
    return _records(frame, name) if table is None else _arrow_part(table, name)


def rows_of_frame(frame: Any, name: str, notes: Notes) -> RowsOf:
    """
    Yield the rows of a table or of an Arrow stream, once: a stream is not kept in memory.

    :raises InputError: it has no columns with names; and whatever a stream raises.
    """
    reader = _arrow_reader(frame)
    if reader is None:
        return (yield from _records(frame, name).read(1, notes))
    columns = columns_of(reader.schema.names, name)
    slices = (batch.slice(first, BATCH) for batch in reader for first in range(0, batch.num_rows, BATCH))
    return (yield from rows_of_batches(slices, columns, 1, notes))


def _arrow_reader(frame: Any) -> Any:
    """Return a reader of the batches that a frame is; None if it is none, or pyarrow is not installed."""
    if not hasattr(frame, "__arrow_c_stream__"):
        return None
    try:
        import pyarrow as pa
    except ImportError:
        return None
    try:
        return pa.RecordBatchReader.from_stream(frame)
    except (pa.ArrowException, TypeError, ValueError):
        # A column of pandas may hold values of several kinds.
        return None


def _arrow_table(frame: Any) -> Any:
    """Return the table of Arrow that a frame is; None if it is none, or pyarrow is not installed."""
    reader = _arrow_reader(frame)
    if reader is None:
        return None
    import pyarrow as pa

    try:
        # A stream can be read only once.
        return reader.read_all()
    except (pa.ArrowException, TypeError, ValueError):
        return None


def _arrow_part(table: Any, name: str) -> Part:
    columns = columns_of(table.column_names, name)

    def read(first: int, notes: Notes) -> RowsOf:
        return (yield from rows_of_batches(table.to_batches(max_chunksize=BATCH), columns, first, notes))

    return Part(name, read, columns, lambda _: int(table.num_rows))


def _records(frame: Any, name: str) -> Part:
    def read(first: int, notes: Notes) -> RowsOf:
        number = first - 1
        for number, record in enumerate(_dicts(frame, name), first):
            row = row_of(number, record)
            try:
                yield row._replace(fields={column: _value(value, notes) for column, value in row.fields.items()})
            except ValueError:
                yield Row(number, {}, no_json(row.fields))
        return number

    return Part(name, read)


def _dicts(frame: Any, name: str) -> Iterator[Any]:
    """Return the rows of a table as dicts: of pandas and polars a part of them at a time."""
    if hasattr(frame, "iloc"):
        # Of two columns of one name, to_dict keeps the second.
        checked_columns([str(column) for column in frame.columns], name)
        return _in_chunks(frame)
    if hasattr(frame, "iter_rows"):
        dicts: Iterator[Any] = iter(frame.iter_rows(named=True))
        return dicts
    found = frame.to_dict() if hasattr(frame, "to_dict") else None
    if isinstance(found, Mapping):
        columns = [column.values() if isinstance(column, Mapping) else column for column in found.values()]
        return (dict(zip(found, values, strict=True)) for values in zip(*columns, strict=True))
    expected = "a table with named columns, of pandas or polars, or of anything else that pyarrow can read"
    raise InputError(name, f"{expected} (pip install 'airflow-provider-campaigns[parquet]')", type(frame).__name__)


def _in_chunks(frame: Any) -> Iterator[Any]:
    for first in range(0, len(frame), BATCH):
        yield from frame.iloc[first : first + BATCH].to_dict("records")


def _value(value: Any, notes: Notes) -> Any:
    if type(value).__name__ in _MISSING:
        return None
    # Scalars of numpy.
    value = value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value
    return whole_number(value, notes) if isinstance(value, float) else json_value(value)

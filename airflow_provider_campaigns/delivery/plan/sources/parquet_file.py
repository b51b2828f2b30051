"""Parquet files, read in batches of rows, one row group after the other; needs pyarrow (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_campaigns.delivery.plan.sources.arrow_values import BATCH, columns_of, rows_of_batches
from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.notes import Notes
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, RowsOf
from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

# Bytes of a column that are read at a time, in place of all that a row group has of it.
BUFFER = 1_000_000


def open_parquet(file: ContactsFile, plain: bool = False) -> Part:
    """
    Return the contacts of a Parquet file, their values as ``arrow_values`` makes them.

    :raises InputError: it cannot be opened, or pyarrow is not installed.
    """

    def read(first: int, notes: Notes) -> RowsOf:
        with _opened(file, texts) as parquet:
            columns = columns_of(parquet.schema_arrow.names, file.where)
            return (yield from rows_of_batches(parquet.iter_batches(BATCH, columns=columns), columns, first, notes))

    with _opened(file) as parquet:
        columns = columns_of(parquet.schema_arrow.names, file.where)
        texts = _texts(parquet.schema_arrow)
    return Part(file.where, read, columns)


def _texts(schema: Schema) -> list[str]:
    """Return the columns of text, which are read with each text once: a few bytes may hold one a million times."""
    from pyarrow import types

    kinds = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return [field.name for field in schema if any(is_kind(field.type) for is_kind in kinds)]


@contextmanager
def _opened(file: ContactsFile, texts: Sequence[str] = ()) -> Iterator[ParquetFile]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        needed = "pyarrow, for .parquet files: pip install 'airflow-provider-campaigns[parquet]'"
        raise InputError(file.where, needed, "no pyarrow") from None
    with file.bytes() as raw:
        try:
            with ParquetFile(
                raw, buffer_size=BUFFER, coerce_int96_timestamp_unit="us", read_dictionary=[*texts]
            ) as parquet:
                yield parquet
        except InputError:
            raise
        except (ArrowException, ValueError, OverflowError) as error:
            raise InputError(file.where, "a Parquet file that can be read", error) from None

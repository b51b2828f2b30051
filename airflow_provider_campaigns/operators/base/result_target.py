"""Where results are written: a file, or a table of a database."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.exports import locate_file
from airflow_provider_campaigns.operators.base.result_join import COLUMNS, ResultRow
from airflow_provider_campaigns.parameters import only_one

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.storage import AnyPath

TableMode = Literal["merge", "append"]

# Rows that are written at a time.
BATCH = 500
SUFFIXES = (".jsonl", ".csv", ".parquet")

# A name, perhaps with schema and database before it; it is quoted, but nothing else is accepted either.
_TABLE = re.compile(r"[A-Za-z_]\w{0,62}(?:\.[A-Za-z_]\w{0,62}){0,2}", re.ASCII)
_TYPES = {"row": "BIGINT", "delivery": "VARCHAR(500)", "result_at": "VARCHAR(40)"}


class Target(Protocol):
    """Takes the rows of results."""

    def write(self, rows: Iterable[ResultRow]) -> int:
        """Write rows, all of them or none, and return how many there were."""

    @property
    def name(self) -> Mapping[str, str]:
        """What it is, for the operator's result."""


def open_target(
    output_path: str | None, table: str | None, sql_conn_id: str | None, table_mode: TableMode | str
) -> Target:
    """
    Return where results are written, once it is clear that they can be.

    :raises InputError: neither a file nor a table is given, or both; or it cannot be written.
    """
    if only_one({"output_path": output_path, "table": table}) == "output_path":
        return ResultFile(str(output_path))
    if not sql_conn_id:
        raise InputError("sql_conn_id", "the id of a connection to a database, for table", "nothing")
    return ResultTable(str(table), sql_conn_id, table_mode)


class ResultFile:
    """
    A file of JSON lines, CSV or Parquet, replaced as a whole.

    :raises InputError: it has another ending, or cannot be written; or pyarrow is missing.
    """

    def __init__(self, output_path: str) -> None:
        self._path: AnyPath = locate_file(output_path)
        self._suffix = PurePosixPath(str(output_path)).suffix.lower()
        if self._suffix not in SUFFIXES:
            raise InputError("output_path", f"a file that ends in {', '.join(SUFFIXES)}", output_path)
        if self._suffix == ".parquet":
            _pyarrow()

    @property
    def name(self) -> Mapping[str, str]:
        """The path."""
        return {"path": str(self._path)}

    def write(self, rows: Iterable[ResultRow]) -> int:
        """Write the file."""
        from airflow_provider_campaigns.delivery.storage import write_whole

        counted = _CountedResults(rows)
        if self._suffix == ".parquet":
            with TemporaryFile() as whole:
                _write_parquet(counted, whole)
                whole.seek(0)
                write_whole(self._path, iter(lambda: whole.read(1_000_000), b""))
        else:
            write_whole(self._path, (_csv_lines if self._suffix == ".csv" else _json_lines)(counted))
        return counted.number


class ResultTable:
    """
    A table of a database, which is made if it is not there.

    ``append`` adds the rows. ``merge`` replaces those with the same ``delivery`` and ``row``, but never a result by
    none: what a vendor no longer lists stays.

    :raises InputError: the name cannot be a table's, the database cannot be reached, or has no such columns.
    """

    def __init__(self, table: str, conn_id: str, mode: TableMode | str) -> None:
        if not _TABLE.fullmatch(table):
            raise InputError("table", "the name of a table, perhaps with its schema: letters, digits and _", table)
        if mode not in {"merge", "append"}:
            raise InputError("table_mode", "merge or append", mode)
        self._table = table
        self._conn_id = conn_id
        self._mode = mode
        self._check()

    @property
    def name(self) -> Mapping[str, str]:
        """The table."""
        return {"table": self._table}

    def write(self, rows: Iterable[ResultRow]) -> int:
        """Write the rows in one transaction."""
        counted = _CountedResults(rows)
        hook, connection = _connect(self._conn_id)
        with closing(connection), closing(connection.cursor()) as cursor:
            sql = _Statements(self._table, hook)
            for some in _batches(counted, BATCH):
                try:
                    self._write(cursor, sql, some)
                except Exception as error:  # noqa: BLE001 - each driver has errors of its own, with values in their text
                    raise InputError("table", "one that takes the rows", str(error).strip()) from None
            connection.commit()
        return counted.number

    def _write(self, cursor: Any, sql: _Statements, rows: Sequence[ResultRow]) -> None:
        kept = self._replace(cursor, sql, rows) if self._mode == "merge" else set()
        if values := [_values(row) for row in rows if (row["delivery"], row["row"]) not in kept]:
            cursor.executemany(sql.insert, values)

    def _replace(self, cursor: Any, sql: _Statements, rows: Sequence[ResultRow]) -> set[tuple[str, int]]:
        """Delete the rows that come again, and return those that stay as they are."""
        kept: set[tuple[str, int]] = set()
        for delivery in {row["delivery"] for row in rows}:
            new = {row["row"]: row["result"] for row in rows if row["delivery"] == delivery}
            cursor.execute(sql.select, (delivery, min(new), max(new)))
            there = {int(row): result for row, result in cursor.fetchall() if int(row) in new}
            stay = {row for row, result in there.items() if _is_end(result) and not _is_end(new[row])}
            kept |= {(delivery, row) for row in stay}
            if gone := [(delivery, row) for row in there.keys() - stay]:
                cursor.executemany(sql.delete, gone)
        return kept

    def _check(self) -> None:
        hook, connection = _connect(self._conn_id)
        sql = _Statements(self._table, hook)
        with closing(connection), closing(connection.cursor()) as cursor:
            try:
                cursor.execute(sql.probe)
                cursor.fetchall()
            except Exception:  # noqa: BLE001 - each driver has errors of its own
                connection.rollback()
            else:
                return
            try:
                for statement in (*sql.make, sql.probe):
                    cursor.execute(statement)
                cursor.fetchall()
                connection.commit()
            except Exception as error:  # noqa: BLE001
                expected = f"a table with the columns {', '.join(COLUMNS)}, or the right to make one"
                raise InputError("table", expected, str(error).strip()) from None


class _Statements:
    """The statements for one table, in the dialect of its database."""

    def __init__(self, table: str, hook: Any) -> None:
        quote = "`" if getattr(hook, "conn_type", "") == "mysql" else '"'
        mark = getattr(hook, "placeholder", "%s")
        name = ".".join(f"{quote}{part}{quote}" for part in table.split("."))
        columns = {column: f"{quote}{column}{quote}" for column in COLUMNS}
        listed = ", ".join(columns.values())
        types = ", ".join(f"{quoted} {_TYPES.get(column, 'TEXT')}" for column, quoted in columns.items())
        delivery, row, result = columns["delivery"], columns["row"], columns["result"]
        # Names are quoted, and letters, digits and _ only; values are parameters.
        self.make = (f"CREATE TABLE {name} ({types})", self._index(table, hook, quote, f"{delivery}, {row}"))
        self.probe = f"SELECT {listed} FROM {name} WHERE 1 = 0"  # noqa: S608
        marks = ", ".join([mark] * len(COLUMNS))
        self.insert = f"INSERT INTO {name} ({listed}) VALUES ({marks})"  # noqa: S608
        between = f"{delivery} = {mark} AND {row} BETWEEN {mark} AND {mark}"
        self.select = f"SELECT {row}, {result} FROM {name} WHERE {between}"  # noqa: S608
        self.delete = f"DELETE FROM {name} WHERE {delivery} = {mark} AND {row} = {mark}"  # noqa: S608

    @staticmethod
    def _index(table: str, hook: Any, quote: str, columns: str) -> str:
        """Return what makes the index that a merge reads by; SQLite wants the schema before its name."""
        schema, _, name = table.rpartition(".")
        index, on = f"{quote}{name[:40]}_delivery_row{quote}", table.split(".")
        if schema and getattr(hook, "conn_type", "") == "sqlite":
            index, on = f"{quote}{schema}{quote}.{index}", [name]
        return f"CREATE INDEX {index} ON {'.'.join(f'{quote}{part}{quote}' for part in on)} ({columns})"


class _CountedResults:
    """Rows, and how many there were."""

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[ResultRow]:
        for row in self._rows:
            self.number += 1
            yield row


def _batches(rows: Iterable[ResultRow], size: int) -> Iterator[list[ResultRow]]:
    others = iter(rows)
    return iter(lambda: list(islice(others, size)), [])


def _connect(conn_id: str) -> tuple[Any, Any]:
    from airflow_provider_campaigns.delivery.plan.sources.database import connect

    return connect(conn_id)


def _is_end(result: object) -> bool:
    return result not in {None, "pending"}


def _values(row: ResultRow) -> tuple[Any, ...]:
    """Return a row with its details as JSON text."""
    values: dict[str, Any] = {**row, "details": json.dumps(row["details"]) if row["details"] else None}
    return tuple(values[column] for column in COLUMNS)


def _json_lines(rows: Iterable[ResultRow]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n"


def _csv_lines(rows: Iterable[ResultRow]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(_values(row))
        yield buffer.getvalue().encode(errors="replace")
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode(errors="replace")


def _write_parquet(rows: Iterable[ResultRow], file: Any) -> None:
    pyarrow = _pyarrow()
    from pyarrow.parquet import ParquetWriter

    types = {"row": pyarrow.int64()}
    schema = pyarrow.schema([(column, types.get(column, pyarrow.string())) for column in COLUMNS])
    with ParquetWriter(file, schema) as writer:
        for some in _batches(rows, 20 * BATCH):
            columns = [list(column) for column in zip(*map(_values, some), strict=True)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        needed = "pyarrow, for .parquet files: pip install 'airflow-provider-campaigns[parquet]'"
        raise InputError("output_path", needed, "no pyarrow") from None
    return pyarrow

"""The rows of a query become lines of JSON, batch by batch, whatever the database has for values."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_campaigns.delivery.plan.sources import query as query_module
from airflow_provider_campaigns.delivery.plan.sources.query import Query
from airflow_provider_campaigns.exceptions import InputError

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


class Cursor:
    """A cursor over rows that are given."""

    def __init__(self, columns: list[Any], rows: list[Any]) -> None:
        self.description = [(column, None) for column in columns]
        self.rows = rows
        self.fetched = 0
        self.executed = ""
        self.closed = False

    def execute(self, sql: str) -> None:
        self.executed = sql

    def fetchmany(self, size: int) -> list[Any]:
        batch = self.rows[self.fetched : self.fetched + size]
        self.fetched += len(batch)
        return batch

    def close(self) -> None:
        self.closed = True


class Connection:
    """A connection that returns one cursor, and remembers how it was asked for it."""

    def __init__(self, cursor: Cursor) -> None:
        self.one = cursor
        self.asked: list[Any] = []

    def cursor(self, *arguments: Any, **options: Any) -> Cursor:
        self.asked.append(arguments or options)
        return self.one


def over(connection: Any, sql: str = "SELECT 1") -> Query:
    @contextmanager
    def connect() -> Iterator[Any]:
        yield connection

    return Query(sql, connect)


def rows(query: Query) -> list[Any]:
    return [json.loads(line) for line in query.lines()]


def value(content: Any) -> Any:
    """Return what becomes of one value."""
    return rows(over(Connection(Cursor(["value"], [(content,)]))))[0]["value"]


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[[str], Query]:
    """Return a function that returns a query of a table ``people``."""
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE people (phone TEXT, name TEXT, visits INTEGER)")
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", [("+447700900000", "José", 3), ("007", None, 0)])
    return lambda sql: Query(sql, lambda: closing(sqlite3.connect(path)))


def test_rows_are_objects(sqlite: Callable[[str], Query]) -> None:
    assert rows(sqlite("SELECT * FROM people ORDER BY visits DESC")) == [
        {"phone": "+447700900000", "name": "José", "visits": 3},
        {"phone": "007", "name": None, "visits": 0},
    ]


def test_columns_are_called_as_the_query_calls_them(sqlite: Callable[[str], Query]) -> None:
    assert rows(sqlite("SELECT phone AS \"Phone Number\", 'x' AS source FROM people WHERE visits > 0 -- ours")) == [
        {"Phone Number": "+447700900000", "source": "x"}
    ]


@pytest.mark.parametrize("end", [";", " ; \n", ""])
def test_a_semicolon_at_the_end_does_no_harm(end: str) -> None:
    cursor = Cursor(["a"], [])

    assert rows(over(Connection(cursor), f"SELECT a FROM b{end}")) == []

    assert cursor.executed.strip() == "SELECT a FROM b"


def test_a_result_is_fetched_in_batches_as_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_module, "BATCH", 10)
    cursor = Cursor(["id"], [(number,) for number in range(95)])
    lines = over(Connection(cursor)).lines()

    first = [json.loads(next(lines))["id"] for _ in range(15)]

    assert first == list(range(15))
    assert cursor.fetched == 20
    assert [json.loads(line)["id"] for line in lines] == list(range(15, 95))
    assert cursor.closed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        (True, True),
        (447700900123, 447700900123),
        (10.5, 10.5),
        (447700900123.0, 447700900123.0),
        (float("nan"), None),
        ("Zoë", "Zoë"),
        (Decimal("10.50"), "10.50"),
        (Decimal("4.477E+11"), "447700000000"),
        (Decimal("NaN"), None),
        (date(2026, 3, 1), "2026-03-01"),
        (NOON.replace(tzinfo=None), "2026-03-01T12:30:00"),
        (NOON, "2026-03-01T12:30:00Z"),
        (time(9, 30), "09:30:00"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (b"Jos\xc3\xa9", "José"),
        (memoryview(b"Jos\xc3\xa9"), "José"),
        (["a", Decimal("1.5")], ["a", "1.5"]),
        ({"since": date(2026, 3, 1)}, {"since": "2026-03-01"}),
    ],
)
def test_values_survive_as_text_where_json_has_no_type_for_them(content: Any, expected: Any) -> None:
    assert value(content) == expected
    assert type(value(content)) is type(expected)


@pytest.mark.parametrize("content", [b"\xff\xd8", memoryview(b"\xff"), "\ud800", object(), range(3)])
def test_a_row_that_json_cannot_hold_is_text_that_says_so(content: Any) -> None:
    cursor = Cursor(["id", "photo"], [(1, None), (2, content), (3, None)])

    first, second, third = rows(over(Connection(cursor)))

    assert second == f"column 'photo': a value of type {type(content).__name__} that JSON cannot hold"
    assert (first["id"], third["id"]) == (1, 3)


def test_rows_may_be_dicts() -> None:
    assert rows(over(Connection(Cursor(["a", "b"], [{"a": 1, "b": 2}])))) == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["phone", "name", "phone"], "sql: expected each column once, got 'phone' more than once"),
        (["phone", ""], "sql: expected a name for each column, got columns 'phone', ''"),
        ([], "sql: expected a query that returns rows, got a statement that returns none"),
    ],
)
def test_a_result_needs_columns_with_names_of_their_own(columns: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows(over(Connection(Cursor(columns, [columns]))))


def test_the_error_of_the_database_is_raised_without_recipients(sqlite: Callable[[str], Query]) -> None:
    with pytest.raises(InputError, match="sql: expected a query that the database answers, got no such table: leads"):
        rows(sqlite("SELECT * FROM leads"))
    with pytest.raises(InputError) as caught:
        rows(sqlite("SELECT [+447700900000] FROM people"))

    assert "+44***00" in str(caught.value)
    assert caught.value.__suppress_context__


def test_two_statements_have_two_digests() -> None:
    connection = Connection(Cursor([], []))

    assert over(connection, "SELECT 1").digest == over(connection, "SELECT 1").digest
    assert over(connection, "SELECT 1").digest != over(connection, "SELECT 2").digest


# -- drivers that fetch the whole result unless asked not to


class SSCursor:
    """Name of the server-side cursor of MySQL's drivers."""


def of_driver(module: str) -> Connection:
    """Return a connection of a subclass of a driver's connection."""
    driver: type[Connection] = type("Connection", (Connection,), {"__module__": module})
    wrapped: type[Connection] = type("Wrapped", (driver,), {})
    return wrapped(Cursor(["id"], [(1,)]))


@pytest.mark.parametrize("module", ["psycopg", "psycopg2.extensions"])
def test_a_named_cursor_of_postgresql_is_at_the_server(module: str) -> None:
    connection = of_driver(module)

    assert rows(over(connection)) == [{"id": 1}]
    assert connection.asked == [{"name": "contacts"}]


@pytest.mark.parametrize("driver", ["MySQLdb", "pymysql"])
def test_mysql_has_a_cursor_at_the_server(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cursors = ModuleType(f"{driver}.cursors")
    cursors.SSCursor = SSCursor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, driver, ModuleType(driver))
    monkeypatch.setitem(sys.modules, f"{driver}.cursors", cursors)
    connection = of_driver(f"{driver}.connections")

    assert rows(over(connection)) == [{"id": 1}]
    assert connection.asked == [(SSCursor,)]


def test_other_drivers_stream_by_themselves() -> None:
    connection = of_driver("oracledb.connection")

    assert rows(over(connection)) == [{"id": 1}]
    assert connection.asked == [{}]

"""A query over Airflow's own hook for PostgreSQL streams, and its values survive."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from airflow.providers.postgres.hooks import postgres

from airflow_provider_campaigns.delivery.plan.sources.database import database
from airflow_provider_campaigns.delivery.plan.sources.query import BATCH, Query
from airflow_provider_campaigns.exceptions import InputError
from tests.postgres.conftest import Execute

pytestmark = pytest.mark.usefixtures("connect")


def query(sql: str) -> Query:
    return Query(sql, partial(database, "crm"))


def rows(sql: str) -> list[Any]:
    return [json.loads(line) for line in query(sql).lines()]


@pytest.mark.parametrize("extra", [{}, {"cursor": "dictcursor"}, {"cursor": "namedtuplecursor"}])
def test_the_server_makes_rows_only_as_they_are_fetched(
    execute: Execute, connect: Callable[..., None], extra: dict[str, str]
) -> None:
    connect(**extra)
    execute("CREATE SEQUENCE made")
    lines = query(f"SELECT nextval('made') AS id, 'Zoë' AS name FROM generate_series(1, {10 * BATCH});").lines()

    assert json.loads(next(lines)) == {"id": 1, "name": "Zoë"}

    assert execute("SELECT last_value FROM made") == [(BATCH,)]
    assert sum(1 for _ in lines) == 10 * BATCH - 1
    assert execute("SELECT last_value FROM made") == [(10 * BATCH,)]


def test_values_survive() -> None:
    (row,) = rows(
        """
        SELECT '+447700900000'::text AS text, 447700900123::bigint AS bigint, 447700900123::numeric AS numeric,
            10.50::numeric(10, 2) AS money, 'NaN'::numeric AS nan, 1.5::float8 AS float, true AS boolean,
            DATE '2026-03-01' AS date, TIMESTAMP '2026-03-01 09:30' AS timestamp, TIME '09:30' AS time,
            '00000000-0000-0000-0000-000000000005'::uuid AS uuid, 'José'::bytea AS bytea, NULL AS nothing,
            ARRAY['a', 'b'] AS array, '{"tags": ["a"], "n": 1.5}'::jsonb AS jsonb, '10.0.0.1'::inet AS inet
        """
    )

    assert row == {
        "text": "+447700900000",
        "bigint": 447700900123,
        "numeric": "447700900123",
        "money": "10.50",
        "nan": None,
        "float": 1.5,
        "boolean": True,
        "date": "2026-03-01",
        "timestamp": "2026-03-01T09:30:00",
        "time": "09:30:00",
        "uuid": "00000000-0000-0000-0000-000000000005",
        "bytea": "José",
        "nothing": None,
        "array": ["a", "b"],
        "jsonb": {"tags": ["a"], "n": 1.5},
        "inet": "10.0.0.1",
    }


def test_a_value_that_json_cannot_hold_spoils_only_its_row() -> None:
    first, second = rows("SELECT b FROM (VALUES ('\\xff'::bytea), ('ok'::bytea)) AS t (b)")

    assert "column 'b': a value of type" in first
    assert second == {"b": "ok"}


def test_a_result_without_rows_is_empty() -> None:
    assert rows("SELECT 1 AS phone WHERE false") == []


def test_a_connection_with_autocommit_has_a_server_side_cursor_too(connect: Callable[..., None]) -> None:
    # psycopg2 knows no such setting.
    connect(**({"autocommit": True} if postgres.USE_PSYCOPG3 else {}))

    assert rows("WITH a AS (SELECT 1 AS id) SELECT id FROM a -- one") == [{"id": 1}]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT phone FROM people", 'relation "people" does not exist'),
        ("CREATE TABLE people (phone text)", "syntax error"),
        ("SELECT p::int FROM (VALUES ('1'), ('+447700900123')) AS t (p)", r'value "\+44\*\*\*23" is out of range'),
    ],
)
def test_the_error_of_the_database_is_reported_without_recipients(sql: str, message: str) -> None:
    with pytest.raises(InputError, match=f"sql: expected a query that the database answers, got {message}") as caught:
        rows(sql)

    assert caught.value.__suppress_context__


def test_columns_need_names_of_their_own() -> None:
    with pytest.raises(InputError, match="sql: expected each column once, got 'a' more than once"):
        rows("SELECT 1 AS a, 2 AS a")


def test_nothing_is_committed(execute: Execute) -> None:
    execute("CREATE TABLE people (phone text)")
    execute("CREATE FUNCTION add() RETURNS text LANGUAGE sql AS $$INSERT INTO people VALUES ('x') RETURNING phone$$")

    assert rows("SELECT add()") == [{"add": "x"}]

    assert execute("SELECT * FROM people") == []


def test_a_server_that_is_not_there(connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "postgres", "host": "/nowhere"}))

    with pytest.raises(InputError, match="sql_conn_id: expected a connection to a database that can be reached"):
        rows("SELECT 1")

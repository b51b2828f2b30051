"""A PostgreSQL with a table of people, behind the connection ``crm``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
import pytest

from tests.operators.conftest import make_context
from tests.postgres.server import USER, PostgresServer

__all__ = ["make_context"]

Execute = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def execute(server: PostgresServer) -> Iterator[Execute]:
    """Return a function that executes a statement over a connection of its own, in an empty database."""
    connection = psycopg2.connect(host=str(server.folder), user=USER, dbname="postgres")
    connection.autocommit = True

    def execute(sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    # A test that failed may have left a connection behind, and with it locks.
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user")
    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    yield execute
    connection.close()


@pytest.fixture
def connect(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the connection ``crm``, with extras."""

    def connect(**extra: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(server.connection(**extra)))

    connect()
    return connect

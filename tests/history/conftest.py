"""
History databases: a file of SQLite's, or what ``HISTORY_DATABASES`` names.

``make integration`` runs these tests on a PostgreSQL and a MariaDB of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.history.connection import History, open_history
from tests.history.mariadb import MariaServer
from tests.postgres.server import USER, PostgresServer

DATABASES = os.environ.get("HISTORY_DATABASES", "sqlite").split(",")
KEY = "a secret of these tests"


class Servers:
    """The servers that the tests of a session share; each starts when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._postgres: PostgresServer | None = None
        self._maria: MariaServer | None = None

    def empty(self, name: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to an empty database."""
        if name == "postgresql":
            self._postgres = self._postgres or self._stack.enter_context(PostgresServer())
            import psycopg2

            connection = psycopg2.connect(host=str(self._postgres.folder), user=USER, dbname="postgres")
            connection.autocommit = True
            cursor = connection.cursor()
            others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user"
            cursor.execute(f"SELECT pg_terminate_backend(pid) {others}")
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
            connection.close()
            return self._postgres.connection()
        self._maria = self._maria or self._stack.enter_context(MariaServer())
        self._maria.execute("DROP DATABASE campaigns")
        self._maria.execute("CREATE DATABASE campaigns")
        return self._maria.connection()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(params=DATABASES)
def connection(
    request: pytest.FixtureRequest, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The fields of the Airflow connection ``history``, to an empty database."""
    fields = (
        {"conn_type": "sqlite", "host": str(tmp_path / "history.db"), "extra": {}}
        if request.param == "sqlite"
        else servers.empty(request.param)
    )
    fields["extra"] = {"hash_key": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(fields))
    return fields


@pytest.fixture
def history(connection: dict[str, Any]) -> Iterator[History]:
    """A history without anybody, behind the Airflow connection ``history``."""
    history = open_history("history")
    yield history
    history.database.engine.dispose()

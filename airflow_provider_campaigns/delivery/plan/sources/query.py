"""Rows of a database query, fetched in batches over any DB-API connection, and written as lines of JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic_core import to_json

from airflow_provider_campaigns.delivery.plan.sources.rows import checked_columns
from airflow_provider_campaigns.delivery.plan.sources.values import json_line, no_json
from airflow_provider_campaigns.exceptions import InputError

# Rows that are in memory at a time.
BATCH = 2_000


@dataclass(frozen=True)
class Query:
    """
    A query whose rows are contacts.

    :param sql: one statement that returns rows.
    :param connect: opens a DB-API connection (PEP 249), which is closed at the end of its ``with``.
    :param name: for messages.
    """

    sql: str
    connect: Callable[[], AbstractContextManager[Any]]
    name: str = "sql"
    what: str = "the query"

    @property
    def digest(self) -> str:
        """A digest that is different for another statement."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def lines(self) -> Iterator[bytes]:
        """
        Run the query, and yield a line of JSON per row: an object, or a text that says why the row cannot be read.

        :raises InputError: the database does not answer with rows.
        """
        with self.connect() as connection:
            try:
                with closing(_cursor(connection)) as cursor:
                    cursor.execute(self.sql.strip().removesuffix(";"))
                    yield from self._fetch(cursor)
            except InputError:
                raise
            except Exception as error:  # noqa: BLE001 - each driver has errors of its own, with values in their text
                raise InputError(self.name, "a query that the database answers", str(error).strip()) from None

    def _fetch(self, cursor: Any) -> Iterator[bytes]:
        rows = cursor.fetchmany(BATCH)
        # Only now: psycopg2's server-side cursor does not know its columns earlier.
        if not cursor.description:
            raise InputError(self.name, "a query that returns rows", "a statement that returns none")
        columns = checked_columns([str(column[0]) for column in cursor.description], self.name)
        while rows:
            yield from (_line(columns, row) for row in rows)
            rows = cursor.fetchmany(BATCH)


def _cursor(connection: Any) -> Any:
    """Return a cursor that keeps the result at the server, with the drivers that would fetch all of it by default."""
    drivers = {kind.__module__.partition(".")[0] for kind in type(connection).__mro__}
    if drivers & {"psycopg", "psycopg2"}:
        return connection.cursor(name="contacts")
    for driver in drivers & {"MySQLdb", "pymysql"}:
        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()


def _line(columns: list[str], row: Any) -> bytes:
    # Some drivers can be configured to return dicts.
    fields = dict(zip(columns, row.values() if isinstance(row, dict) else row, strict=True))
    try:
        return json_line(fields)
    except ValueError:
        return to_json(no_json(fields)) + b"\n"

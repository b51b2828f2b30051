"""Opens the database of an Airflow connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from airflow_provider_campaigns.exceptions import InputError


@contextmanager
def database(conn_id: str) -> Iterator[Any]:
    """
    Open a DB-API connection (PEP 249) through the connection's own hook, for reading: nothing is committed.

    :param conn_id: id of an Airflow connection to a database, of any provider with a ``DbApiHook``.
    :raises InputError: it is none, or the database cannot be reached.
    """
    with closing(connect(conn_id)[1]) as connection:
        yield connection


def connect(conn_id: str) -> tuple[Any, Any]:
    """
    Return the hook of a connection to a database, and an open DB-API connection; nothing is committed by itself.

    :raises InputError: it is none, or the database cannot be reached.
    """
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    try:
        hook = BaseHook.get_connection(conn_id).get_hook()
        connection = hook.get_conn() if isinstance(hook, DbApiHook) else None
    except Exception as error:  # noqa: BLE001 - each provider and driver has errors of its own
        expected = "a connection to a database that can be reached, and whose provider is installed"
        raise InputError("sql_conn_id", expected, f"{conn_id!r}: {error}") from None
    if connection is None:
        raise InputError("sql_conn_id", "a connection to a database", f"{conn_id!r}, with a {type(hook).__name__}")
    if hook.supports_autocommit:
        # As DbApiHook.run does; PostgreSQL's server-side cursors need a transaction.
        hook.set_autocommit(connection, False)
    return hook, connection

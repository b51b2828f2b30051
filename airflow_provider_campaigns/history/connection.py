"""From an Airflow connection to the history database."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history import schema
from airflow_provider_campaigns.history.database import Database, HistoryError
from airflow_provider_campaigns.history.hashing import Hasher

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# Drivers, the first one that is installed is used; and what of the connection's extras they are given.
_DRIVERS = {
    "postgresql": {"psycopg2": "psycopg2", "psycopg": "psycopg"},
    "mysql": {"MySQLdb": "mysqldb", "pymysql": "pymysql"},
}
_TYPES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
_EXTRAS = {
    "postgresql": ("sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options"),
    "mysql": ("ssl_ca", "ssl_cert", "ssl_key", "unix_socket"),
}
# Seconds to wait for the server when a connection is opened, and for SQLite's lock.
CONNECT_TIMEOUT = 10
LOCK_TIMEOUT = 30
# The same for who only looks at it.
READING_TIMEOUT = 5

SHORTEST_KEY = 16


@dataclass(frozen=True)
class History:
    """
    The history database.

    :param database: its transactions.
    :param hasher: writes identities.
    """

    database: Database
    hasher: Hasher


def open_history(
    conn_id: str,
    again: Callable[[Callable[[], Any]], Any] | None = None,
    connection: Connection | None = None,
) -> History:
    """
    Return the history database, with the tables of this release.

    :param conn_id: id of an Airflow connection to PostgreSQL, MySQL or SQLite.
    :param again: waits for the database, now and later, given what raises what SQLAlchemy does.
    :param connection: the connection itself; default: it is looked up as a task does.
    :raises InputError: the connection cannot be used.
    :raises HistoryError: the database cannot be reached, or the tables not be made.
    """
    settings = ConnectionSettings(conn_id, connection or _connection(conn_id))
    hasher = settings.hasher
    engine = make_engine(settings.url)
    try:
        again(lambda: schema.ensure(engine)) if again else schema.ensure(engine)
    except (SQLAlchemyError, schema.NewerTablesError) as error:
        raise HistoryError(conn_id, error) from None
    database = Database(engine, conn_id)
    database.again = again
    return History(database, hasher)


def open_for_reading(conn_id: str, connection: Connection) -> Engine | None:
    """
    Return the engine of the history database for those who only look at it, None while it has no tables.

    :param connection: the Airflow connection.
    :raises InputError: the connection cannot be used.
    :raises HistoryError: the database cannot be reached.
    """
    return _readable(conn_id, connection)[0]


def tables_version(conn_id: str, connection: Connection) -> str | None:
    """
    Return the version of the tables of the history database, None while it has none.

    :param connection: the Airflow connection.
    :raises InputError: the connection cannot be used.
    :raises HistoryError: the database cannot be reached.
    """
    return _readable(conn_id, connection)[1]


def _readable(conn_id: str, connection: Connection) -> tuple[Engine | None, str | None]:
    url = ConnectionSettings(conn_id, connection).url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None, None
    engine = _reading_engine(url)
    try:
        version = schema.version(engine)
    except SQLAlchemyError as error:
        raise HistoryError(conn_id, error) from None
    return (engine if version else None), version


def _connection(conn_id: str) -> Connection:
    from airflow.providers.common.compat.sdk import AirflowException, BaseHook

    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except AirflowException as error:
        raise InputError("history_conn_id", "the id of an Airflow connection", f"{conn_id!r}: {error}") from None
    return connection


class ConnectionSettings:
    """What an Airflow connection says of the history database."""

    def __init__(self, conn_id: str, connection: Connection) -> None:
        self._conn_id = conn_id
        self._connection = connection

    @cached_property
    def _extras(self) -> dict[str, Any]:
        return dict(self._connection.extra_dejson)

    @cached_property
    def _backend(self) -> str:
        conn_type = self._connection.conn_type or ""
        if conn_type not in _TYPES:
            self._refuse("a connection of type postgres, mysql or sqlite", repr(conn_type))
        return _TYPES[conn_type]

    @property
    def url(self) -> URL:
        """Where the database is."""
        one, backend = self._connection, self._backend
        if backend == "sqlite":
            path = one.host or one.schema
            if not path or path == ":memory:":
                self._refuse("the path of a file as host", repr(path))
            return URL.create("sqlite", database=path)
        query = {name: str(self._extras[name]) for name in _EXTRAS[backend] if self._extras.get(name)}
        timeout = {"connect_timeout": str(CONNECT_TIMEOUT)}
        charset = {"charset": "utf8mb4"} if backend == "mysql" else {}
        return URL.create(
            f"{backend}+{self._driver()}",
            username=one.login or None,
            password=one.password or None,
            host=one.host or None,
            port=one.port or None,
            database=one.schema or None,
            query={**timeout, **charset, **query},
        )

    def _driver(self) -> str:
        drivers = _DRIVERS[self._backend]
        name = next((name for module, name in drivers.items() if importlib.util.find_spec(module)), None)
        if name is None:
            self._refuse(f"one of the drivers {' or '.join(drivers)} to be installed", "none")
        return name

    @property
    def hasher(self) -> Hasher:
        """How identities are written; the secrets are masked in logs from here on."""
        from airflow_provider_campaigns.compat import mask_secret

        keys = [str(self._extras.get(name) or "") for name in ("hash_key", "previous_hash_key")]
        clear = str(self._extras.get("clear", "")).lower() in {"true", "1"}
        for key in filter(None, keys):
            mask_secret(key)
        if clear and keys == ["", ""]:
            return Hasher()
        if clear or len(keys[0]) < SHORTEST_KEY:
            self._refuse(
                f"extra hash_key, a secret of at least {SHORTEST_KEY} characters by which people's identities are "
                f'hashed, or extra clear, true, to keep them in clear ("airflow connections", docs/history.md)',
                "both" if clear else f"hash_key of {len(keys[0])} characters",
            )
        return Hasher(tuple(filter(None, keys)))

    def _refuse(self, expected: str, got: str) -> NoReturn:
        raise InputError(f"connection {self._conn_id!r}", expected, got)


def make_engine(url: URL) -> Engine:
    """Return the engine for a database; its errors show no values of statements."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    options: dict[str, Any] = {}
    if url.get_driver_name() == "psycopg2":
        # Updates of many rows go in pages, not one by one.
        options["executemany_mode"] = "values_plus_batch"
    return sa.create_engine(
        url,
        future=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=2,
        max_overflow=2,
        pool_recycle=1_800,
        **options,
    )


@lru_cache(maxsize=4)
def _reading_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # Somebody waits for the answer.
        url = url.update_query_dict({"connect_timeout": str(READING_TIMEOUT)})
        return sa.create_engine(url, future=True, hide_parameters=True, pool_size=1, max_overflow=4, pool_pre_ping=True)
    engine = sa.create_engine(
        url, future=True, hide_parameters=True, poolclass=NullPool, connect_args={"timeout": READING_TIMEOUT}
    )

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = sa.create_engine(
        url, future=True, hide_parameters=True, poolclass=NullPool, connect_args={"timeout": LOCK_TIMEOUT}
    )

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        # Python's module would begin transactions only at the first write, and not for DDL.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")

    @sa.event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        # At once as a writer: one that begins to write later may find that it must not any more.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine

"""Transactions in the history database: repeated when they were lost, so what they do may be done twice."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from airflow_provider_campaigns.exceptions import DeliveryError, shown
from airflow_provider_campaigns.protocol.attempts import Attempts

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.schema import Table

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds for which a transaction is tried again: a database that is started again is back by then.
PATIENCE = 120.0
# A deadlock is over by then.
BRIEFLY = 2.0
FIRST_BREAK = 0.05
LONGEST_BREAK = 5.0
# Values of one statement: SQLite and drivers have limits.
MOST_VALUES = 500


class HistoryError(DeliveryError):
    """The history database could not be asked."""

    def __init__(self, conn_id: str, error: Exception) -> None:
        cause = getattr(error, "orig", None) or error
        super().__init__(f"history database {conn_id!r}: {type(cause).__name__}: {shown(str(cause))}")


class Database:
    """
    The history database.

    :param engine: whose transactions see what was committed before each statement.
    :param conn_id: of the Airflow connection, for messages.
    :param patience: seconds for which a transaction is tried again.
    """

    def __init__(self, engine: Engine, conn_id: str, patience: float = PATIENCE) -> None:
        self.engine = engine
        self.conn_id = conn_id
        self._patience = patience
        self._open = threading.local()
        self.again: Callable[[Callable[[], Any]], Any] | None = None
        """What waits for the database in another way, given a transaction that raises what SQLAlchemy does."""
        self.lost = 0
        """Transactions that were lost, and done again or given up."""

    @property
    def dialect(self) -> str:
        """``postgresql``, ``mysql`` or ``sqlite``."""
        return self.engine.dialect.name

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is within ``run``."""
        return getattr(self._open, "connection", None) is not None

    def run(self, do: Callable[[Connection], T]) -> T:
        """
        Do something in one transaction, or as a part of the one that this thread is in.

        :param do: is called again when the transaction was lost: to a deadlock, or with the connection, when it may
            have been committed.
        :raises HistoryError: it cannot be done.
        """
        connection = getattr(self._open, "connection", None)
        if connection is not None:
            return do(connection)
        try:
            if self.again:
                result: T = self.again(lambda: self._try(do, BRIEFLY))
                return result
            return self._try(do, self._patience)
        except SQLAlchemyError as error:
            raise HistoryError(self.conn_id, error) from None

    def _try(self, do: Callable[[Connection], T], seconds: float) -> T:
        try:
            return self._attempt(do)
        except SQLAlchemyError as error:
            if not _may_pass(error):
                raise
            log.info("The history database is asked again: %s", type(getattr(error, "orig", error)).__name__)
        return Attempts(_may_pass, seconds, FIRST_BREAK, LONGEST_BREAK).again(lambda: self._attempt(do))

    def _attempt(self, do: Callable[[Connection], T]) -> T:
        try:
            return self._run(do)
        except SQLAlchemyError:
            self.lost += 1
            raise

    def _run(self, do: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            self._open.connection = connection
            try:
                return do(connection)
            finally:
                self._open.connection = None

    def upsert(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], update: Sequence[str]
    ) -> None:
        """
        Insert rows; of those that are there already, update some columns.

        A row that is there, or is being inserted by another transaction, is locked until this one ends.
        """
        if rows:
            connection.execute(_upsert(self.dialect, table, tuple(update)), list(rows))


@lru_cache(maxsize=32)
def _upsert(dialect: str, table: Table, update: tuple[str, ...]) -> Any:
    if dialect == "mysql":
        of_mysql = mysql.insert(table)
        return of_mysql.on_duplicate_key_update({name: of_mysql.inserted[name] for name in update})
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(index_elements=keys, set_={name: insert.excluded[name] for name in update})


def _may_pass(error: Exception) -> bool:
    """Whether a transaction that was lost so may succeed once more: a deadlock, a connection that broke."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OperationalError, InterfaceError, PoolTimeoutError))


def in_parts(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield values in lists that a statement takes."""
    values = iter(values)
    while part := list(islice(values, MOST_VALUES)):
        yield part


def now() -> datetime:
    """Return the current time as the tables have it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)

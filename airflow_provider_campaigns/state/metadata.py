"""
Airflow's metadata database, as Airflow's own processes read it: the API server and the command line.

Tasks of Airflow 3 may not, and nothing here is for them. What differs between releases of Airflow is kept in this file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from sqlalchemy.orm import Session

CONN_ENV_PREFIX = "AIRFLOW_CONN_"

# The columns that name a task instance, in every table that is about one.
TASK_COLUMNS = ("dag_id", "run_id", "task_id", "map_index")


class MetadataTables(NamedTuple):
    """
    Tables of Airflow's.

    :param progress: has what a running task shows people: the task state store, or XComs before Airflow 3.3.
    """

    task_instance: sa.Table
    xcom: sa.Table
    progress: sa.Table


@contextmanager
def reading_session() -> Iterator[Session]:
    """Yield a session of the metadata database; nothing is to be written in it."""
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


@cache
def metadata_tables() -> MetadataTables:
    """Return the tables of this Airflow."""
    from airflow.models import xcom
    from airflow.models.taskinstance import TaskInstance

    model = getattr(xcom, "XComModel", None) or xcom.BaseXCom
    return MetadataTables(_table_of(TaskInstance), _table_of(model), _table_of(_state_model() or model))


def task_column(table: Any, name: str) -> Any:
    """Return one of ``TASK_COLUMNS`` of a table; Airflow 3.4 stores ``map_index`` as ``region_index``."""
    column = table.c.get(name)
    return table.c.region_index if column is None else column


def same_task(one: Any, other: Any) -> Any:
    """Return the condition that rows of two tables are about the same task instance."""
    return sa.and_(*(task_column(one, name) == task_column(other, name) for name in TASK_COLUMNS))


def as_text(column: Any, dialect: str) -> Any:
    """Return what a column holds, as text: it is JSON on Airflow 3, bytes on 2, text in the task state store."""
    # SQLAlchemy 1.4 wraps a type that has variants.
    if isinstance(getattr(column.type, "impl", column.type), sa.LargeBinary) and dialect == "postgresql":
        return sa.func.convert_from(column, "UTF8")
    return sa.cast(column, sa.Text)


def find_connection(conn_id: str) -> Connection:
    """
    Return an Airflow connection.

    :raises AirflowNotFoundException: there is none.
    """
    # The hooks' call asks a supervisor, or the environment alone, outside of Airflow's servers.
    from airflow.models.connection import Connection

    return Connection.get_connection_from_secrets(conn_id)


def connection_types() -> dict[str, str]:
    """
    Return the type of each connection in the metadata database and in the environment, by id.

    Those in other secrets backends cannot be listed; ``find_connection`` finds them.
    """
    from airflow.models.connection import Connection

    table: Any = _table_of(Connection)
    with reading_session() as session:
        rows = session.execute(sa.select(table.c.conn_id, table.c.conn_type))
        found = {conn_id: conn_type or "" for conn_id, conn_type in rows}
    # As Airflow finds them: the environment counts first.
    named = (name.removeprefix(CONN_ENV_PREFIX).lower() for name in os.environ if name.startswith(CONN_ENV_PREFIX))
    return {**found, **{conn_id: _type_of(conn_id) for conn_id in named}}


def _type_of(conn_id: str) -> str:
    try:
        return find_connection(conn_id).conn_type or ""
    except Exception:  # noqa: BLE001 - what is no connection has no type, whatever Airflow raises
        return ""


def _state_model() -> Any:
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
    except ImportError:
        return None
    return TaskStateStoreModel


def _table_of(model: Any) -> sa.Table:
    table: sa.Table = model.__table__
    return table

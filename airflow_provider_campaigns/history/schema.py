"""Makes the tables, and brings those of an older version up to date; several processes may do so at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from airflow_provider_campaigns.history.tables import VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

LATEST = "0001"
"""The version of the tables that this release works with."""

MIGRATIONS = Path(__file__).with_name("migrations")
# Of an advisory lock: who migrates, others wait.
_LOCK = 0x63616D70
# Seconds to wait for another process that migrates.
_PATIENCE = 60


class NewerTablesError(Exception):
    """The tables are those of a later release, which only that one can use."""

    def __init__(self, found: str) -> None:
        super().__init__(f"its tables have the version {found}, and this release of the package knows {LATEST}")


def ensure(engine: Engine) -> None:
    """
    Make or upgrade the tables, if they are not those of this release.

    :raises NewerTablesError: they are those of a later one.
    """
    found = version(engine)
    if found is not None and found > LATEST:
        raise NewerTablesError(found)
    if found != LATEST:
        upgrade(engine)


def version(engine: Engine) -> str | None:
    """Return the version of the tables, None when there are none."""
    if not sa.inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        table = sa.table(VERSION_TABLE, sa.column("version_num"))
        found: str | None = connection.execute(sa.select(table.c.version_num)).scalar()
        return found


def upgrade(engine: Engine) -> None:
    """Make or upgrade the tables."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection, _alone(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from doing the same; SQLite's transaction does it by itself."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    elif dialect == "mysql":
        connection.execute(sa.text(f"SELECT GET_LOCK('campaigns_history', {_PATIENCE})"))
    try:
        yield
    finally:
        if dialect == "mysql":
            connection.execute(sa.text("SELECT RELEASE_LOCK('campaigns_history')"))

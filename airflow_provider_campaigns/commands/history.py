"""``history``: makes, migrates and prunes the history database."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_campaigns.commands.connections import connection_of
from airflow_provider_campaigns.commands.output import Table, command, confirm, emit
from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    from airflow_provider_campaigns.history.connection import History


@command
def init(args: Namespace) -> None:
    """Make the tables."""
    _upgrade(args, new=True)


@command
def migrate(args: Namespace) -> None:
    """Bring the tables to the version of this release."""
    _upgrade(args, new=False)


def _upgrade(args: Namespace, *, new: bool) -> None:
    from airflow_provider_campaigns.history.connection import tables_version
    from airflow_provider_campaigns.history.schema import LATEST

    conn_id = history_conn_id(args)
    before = tables_version(conn_id, connection_of(conn_id, "history_conn_id"))
    if before is None and not new:
        raise InputError("history migrate", "a database with tables (history init makes them)", "none")
    with opened_history(args):
        pass
    result = {"history": conn_id, "version_before": before, "version": LATEST}
    emit(result, args.output, Table([result]))


@command
def prune(args: Namespace) -> int | None:
    """Delete what is older than some days."""
    from airflow_provider_campaigns.history import retention

    days = retention.history_days() if args.days is None else args.days
    if days < 1:
        raise InputError("--days", "a number of days, at least 1", days)
    question = f"Delete what is older than {days} days from history {history_conn_id(args)!r}?"
    if not confirm(question, args):
        return 1
    with opened_history(args) as history:
        deleted = retention.prune(history, days)
    rows = [{"table": name, "deleted": number} for name, number in deleted.items()]
    emit({"days": days, "deleted": deleted}, args.output, Table(rows))
    return None


@contextmanager
def opened_history(args: Namespace) -> Iterator[History]:
    """
    Yield the history database.

    :raises InputError: none is named, or its connection cannot be used.
    :raises HistoryError: it cannot be reached.
    """
    from airflow_provider_campaigns.history.connection import open_history

    conn_id = history_conn_id(args)
    history = open_history(conn_id, connection=connection_of(conn_id, "history_conn_id"))
    try:
        yield history
    finally:
        history.database.engine.dispose()


def history_conn_id(args: Namespace) -> str:
    """
    Return the id of the history's connection.

    :raises InputError: none is named.
    """
    conn_id: str = (args.history_conn_id or setting("history_conn_id")).strip()
    if not conn_id:
        raise InputError("--history-conn-id", "it, or [campaigns] history_conn_id", "neither")
    return conn_id

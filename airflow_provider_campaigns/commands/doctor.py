"""``doctor``: checks connections to vendors, and the history database; nothing is changed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from airflow_provider_campaigns.commands.connections import connection_of, hook_classes, open_hook
from airflow_provider_campaigns.commands.examination import Finding, examine
from airflow_provider_campaigns.commands.output import FAILED, Table, command, emit, written
from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.exceptions import CampaignError


@command
def doctor(args: Namespace) -> int:
    """Check connections; the exit code is 1 when a check failed."""
    checked = _chosen(args)
    rows: list[dict[str, Any]] = []
    for conn_id in checked:
        rows += _examined(conn_id, args.vendor)
    rows += _rows_of_history()
    failed = sum(row["result"] == "failed" for row in rows)
    value = {"connections": len(checked), "failed": failed, "findings": rows}
    empty = f"No connection of type {args.vendor or ', '.join(hook_classes())}"
    emit(value, args.output, Table(rows, empty=empty))
    return FAILED if failed else 0


def _chosen(args: Namespace) -> list[str]:
    """Return the ids of the connections to be checked."""
    from airflow_provider_campaigns.state.metadata import connection_types

    if args.conn_id:
        return list(dict.fromkeys(args.conn_id))
    wanted = {args.vendor} if args.vendor else set(hook_classes())
    return [conn_id for conn_id, kind in sorted(connection_types().items()) if kind in wanted]


def _examined(conn_id: str, conn_type: str | None) -> Iterator[dict[str, Any]]:
    from airflow.providers.common.compat.sdk import AirflowException

    hook = open_hook(conn_id, conn_type)
    try:
        return _rows(conn_id, hook.conn_type, examine(hook))
    except AirflowException as error:
        # A password that cannot be decrypted, say.
        return _rows(conn_id, hook.conn_type, [Finding("fields", "failed", written(str(error), 500))])
    finally:
        if "transport" in hook.__dict__:
            hook.transport.close()


def _rows(conn_id: str, conn_type: str, found: list[Finding]) -> Iterator[dict[str, Any]]:
    return ({"connection": conn_id, "type": conn_type, **asdict(one)} for one in found)


def _rows_of_history() -> Iterator[dict[str, Any]]:
    """Yield what there is to say of the history database, nothing where none is configured."""
    if conn_id := setting("history_conn_id"):
        yield from _rows(conn_id, "history", [_history(conn_id)])


def _history(conn_id: str) -> Finding:
    from airflow_provider_campaigns.history.connection import ConnectionSettings, tables_version
    from airflow_provider_campaigns.history.schema import LATEST

    try:
        connection = connection_of(conn_id, "[campaigns] history_conn_id")
        # Its hash_key is read, too.
        _ = ConnectionSettings(conn_id, connection).hasher
        version = tables_version(conn_id, connection)
    except CampaignError as error:
        return Finding("history", "failed", written(str(error), 500))
    if version is None:
        return Finding("history", "warning", "no tables yet: the first task makes them, or history init")
    if version != LATEST:
        return Finding(
            "history", "warning", f"tables of version {version}, this release's are {LATEST}: history migrate"
        )
    return Finding("history", "ok", f"tables of version {version}")

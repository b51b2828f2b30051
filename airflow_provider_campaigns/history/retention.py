"""How long history is kept."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from airflow_provider_campaigns.configuration import setting
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history.database import now
from airflow_provider_campaigns.history.tables import contacts, deliveries, ledger, pace, people
from airflow_provider_campaigns.parameters import parse_positive_int

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from airflow_provider_campaigns.history.connection import History

# Rows that are deleted in one transaction: whoever waits for it does not wait long.
MOST_ROWS = 10_000


DEFAULT_DAYS = 400


def history_days() -> int:
    """
    Return ``[campaigns] history_days``: for how long history is kept.

    :raises InputError: it is no positive number.
    """
    return parse_positive_int("[campaigns] history_days", setting("history_days")) or DEFAULT_DAYS


def prune(history: History, days: int) -> dict[str, int]:
    """
    Delete what is older, and return how many rows that were, by table; the suppression list is kept.

    :param days: at least as many as the longest period of a cap, and as a task may be cleared after.
    :raises InputError: ``days`` is no positive number.
    """
    if days < 1:
        raise InputError("history_days", "a number of days, at least 1", days)
    before = now() - timedelta(days=days)
    return {
        "contacts": _delete(history, contacts, contacts.c.at < before),
        "people": _delete(history, people, people.c.at < before),
        "ledger": _delete(history, ledger, ledger.c.at < before),
        "deliveries": _delete(history, deliveries, deliveries.c.begun < before),
        "pace": _delete(history, pace, pace.c.next_at < before.replace(tzinfo=UTC).timestamp()),
    }


def _delete(history: History, table: sa.Table, old: sa.sql.ColumnElement[bool]) -> int:
    keys = list(table.primary_key)

    def delete_some(connection: Connection) -> int:
        some = [tuple(row) for row in connection.execute(sa.select(*keys).where(old).limit(MOST_ROWS))]
        for start in range(0, len(some), 200):
            part = some[start : start + 200]
            chosen = sa.tuple_(*keys).in_(part) if len(keys) > 1 else keys[0].in_([key for (key,) in part])
            connection.execute(sa.delete(table).where(chosen, old))
        return len(some)

    total = 0
    while number := history.database.run(delete_some):
        total += number
    return total

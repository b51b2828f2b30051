"""The ledger of deliveries in the history database: what a try stores is one transaction with its reservations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.history.database import now
from airflow_provider_campaigns.history.tables import ledger

if TYPE_CHECKING:
    from airflow_provider_campaigns.history.connection import History
    from airflow_provider_campaigns.history.deliveries import TaskKey


class LedgerStore:
    """Durable state of one task instance, in rows that only the connection's keys open."""

    def __init__(self, history: History, task: TaskKey) -> None:
        self._database = history.database
        self._hasher = history.hasher
        self._task = task.digest().hex()

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; within ``atomically`` it is locked."""
        statement = sa.select(ledger.c.value).where(ledger.c.task == self._task, ledger.c.name == key)
        if self._database.in_transaction:
            # Nobody takes over before this transaction ends.
            statement = statement.with_for_update()
        text = self._database.run(lambda connection: connection.execute(statement).scalar())
        if text is None:
            return None
        try:
            return json.loads(self._hasher.unseal(text))
        except (ValueError, RecursionError):
            raise LedgerError(f"{key} of a task's record in the history database is damaged") from None

    def set(self, key: str, value: Any) -> None:
        """Store the value durably, or raise."""
        text = self._hasher.seal(json.dumps(value, separators=(",", ":")))
        row = {"task": self._task, "name": key, "value": text, "at": now()}
        self._database.run(lambda connection: self._database.upsert(connection, ledger, [row], ["value", "at"]))

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""
        statement = sa.delete(ledger).where(ledger.c.task == self._task, ledger.c.name == key)
        self._database.run(lambda connection: connection.execute(statement))

    def atomically(self, do: Callable[[], None]) -> None:
        """Do something of which all is stored, or nothing; it may be done twice."""
        self._database.run(lambda _: do())

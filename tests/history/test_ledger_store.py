"""The ledger's store in the history database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.deliveries import TaskKey
from airflow_provider_campaigns.history.ledger_store import LedgerStore
from airflow_provider_campaigns.history.tables import ledger

TASK = TaskKey("dag", "run", "send", -1)


def test_values_by_task_and_key(history: History) -> None:
    store, other = LedgerStore(history, TASK), LedgerStore(history, TASK._replace(map_index=1))
    store.set("a", {"rows": [1, 2]})
    store.set("a", {"rows": [3], "text": "é" * 70_000})
    other.set("a", 1)
    store.set("b", "x")
    store.delete("b")
    store.delete("c")

    assert LedgerStore(history, TASK).get("a") == {"rows": [3], "text": "é" * 70_000}
    assert (store.get("b"), store.get("c"), other.get("a")) == (None, None, 1)


def test_all_of_it_or_nothing(history: History) -> None:
    store = LedgerStore(history, TASK)

    def fail() -> None:
        store.set("a", 1)
        assert store.get("a") == 1
        raise LedgerError("superseded")

    with pytest.raises(LedgerError, match="superseded"):
        store.atomically(fail)

    assert store.get("a") is None
    store.atomically(lambda: store.set("a", 2))
    assert store.get("a") == 2


def test_a_damaged_value_is_an_error(history: History) -> None:
    store = LedgerStore(history, TASK)
    store.set("a", 1)
    for value in ("{", history.hasher.seal("{")):
        with history.database.engine.begin() as connection:
            connection.execute(sa.update(ledger).values(value=value))
        with pytest.raises(LedgerError, match="damaged"):
            store.get("a")

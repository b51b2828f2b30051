"""What is older than its retention is deleted."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.deliveries import TaskKey
from airflow_provider_campaigns.history.ledger_store import LedgerStore
from airflow_provider_campaigns.history.retention import history_days, prune
from airflow_provider_campaigns.history.suppression import read_people
from airflow_provider_campaigns.history.tables import contacts, deliveries, ledger, people
from tests.history.people import delivery, numbered

CAP = ["1 per day"]


def test_what_is_old_is_deleted_and_the_suppression_list_kept(history: History) -> None:
    suppression.add(history, read_people(["+447700900009"], "phone"))
    delivery(history, "old", CAP).reserve(numbered(*range(1, 300)))
    LedgerStore(history, TaskKey("dag", "old", "send", -1)).set("try-1", {})
    with history.database.engine.begin() as connection:
        for table, name in ((contacts, "at"), (people, "at"), (ledger, "at"), (deliveries, "begun")):
            older = sa.text("timestamp '2020-01-01 00:00:00'")
            if history.database.dialect == "sqlite":
                older = sa.text("'2020-01-01 00:00:00.000000'")
            connection.execute(sa.update(table).values({name: older}))
    delivery(history, "new", CAP).reserve(numbered(1000, 1001))

    deleted = prune(history, 30)

    assert deleted == {"contacts": 299, "people": 298, "ledger": 1, "deliveries": 1, "pace": 0}
    assert prune(history, 30) == dict.fromkeys(deleted, 0)
    assert delivery(history, "next", CAP).reserve(numbered(1000, 9, 1)).keys() == {1, 2}


def test_everything_is_no_retention(history: History) -> None:
    with pytest.raises(InputError, match="history_days: expected a number of days"):
        prune(history, 0)


@pytest.mark.parametrize(("setting", "days"), [(None, 400), ("30", 30), ("", 400), ("soon", None), ("0", None)])
def test_how_long_history_is_kept(monkeypatch: pytest.MonkeyPatch, setting: str | None, days: int | None) -> None:
    if setting is not None:
        monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_DAYS", setting)
    if days is None:
        with pytest.raises(InputError, match="history_days"):
            history_days()
    else:
        assert history_days() == days

"""A DAG that creates an Exotel campaign, and whose first try dies at a point that is named when it is triggered."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.state import task_state as state

# What stands in the record of the campaign once it is intended, and once it is settled.
INTENT, SETTLEMENT = "intended", "id"


class DeadlyStore:
    """
    A store of which the process dies.

    :param store: the task's own.
    :param moment: ``before`` or ``after`` the record says ``what`` for the first time.
    """

    def __init__(self, store: Any, moment: str, what: str) -> None:
        self._store = store
        self._moment = moment
        self._what = what

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        reached = isinstance(value, Mapping) and bool(value.get(self._what))
        if reached and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        self._store.set(key, value)
        if reached:
            os.kill(os.getpid(), signal.SIGKILL)

    def delete(self, key: str) -> None:
        self._store.delete(key)


def die(context: Mapping[str, Any]) -> None:
    """Let the first try die at the point that was named: "before intended", "after id" …; elsewhere others kill it."""
    moment, _, what = context["dag_run"].conf["dies"].partition(" ")
    if context["ti"].try_number == 1 and what in {INTENT, SETTLEMENT}:
        open_store = state.task_state
        state.task_state = lambda context: DeadlyStore(open_store(context), moment, what)


with DAG("exotel", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    CreateExotelCampaignOperator(
        task_id="send",
        name="Reminder",
        caller_id="+442079460000",
        read_via_text="Hello",
        numbers="{{ dag_run.conf['numbers'] | tojson }}",
        exotel_conn_id="exotel_impatient",
        retries=10,
        retry_delay=timedelta(0),
        on_execute_callback=die,
    )

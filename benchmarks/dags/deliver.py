"""A DAG for each delivery of ``BENCHMARK_DELIVERIES``; each writes down how long its task's ``execute`` took."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.delivery.run import engine, progress, senders
from airflow_provider_campaigns.hooks import ozonetel, xtremepush
from airflow_provider_campaigns.operators.base import timing
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.state import task_state as state
from airflow_provider_campaigns.vendors.ozonetel import send as ozonetel_send
from airflow_provider_campaigns.vendors.xtremepush import send as xtremepush_send

# What ``execute`` imports when it first runs is not what is compared here.
IMPORTED = (engine, progress, senders, ozonetel, xtremepush, timing, ozonetel_send, xtremepush_send)


def deliver(job: dict[str, Any], outcomes_path: str, conn_id: str = "", **more: Any) -> CampaignDeliveryOperator:
    """Return the operator that does a job; with the vendor's default connection if none is named."""
    shared = {
        "task_id": "send",
        "contacts": job["contacts"],
        "batch_size": job["batch_size"],
        "max_concurrency": job["concurrency"],
        "outcomes_path": outcomes_path,
        **more,
    }
    if job["batch_size"] == 1:
        return AddCampaignLeadOperator(campaign_name="Demo", ozonetel_conn_id=conn_id or "ozonetel_default", **shared)
    return ExecuteXtremepushCampaignOperator(
        campaign_id=1, xtremepush_conn_id=conn_id or "xtremepush_default", **shared
    )


class Stopwatch:
    """
    Writes receipt and seconds of each run of a task to a file.

    :param ledger: without it a delivery remembers in memory what it sent.
    """

    def __init__(self, result: Path, *, ledger: bool) -> None:
        self._result = result
        self._ledger = ledger
        self._began = 0.0

    def start(self, context: Any) -> None:
        """Be called before ``execute``."""
        if not self._ledger:
            memory = state.MemoryStore()
            state.task_state = lambda context: memory
        self._began = time.perf_counter()

    def stop(self, context: Any, receipt: Any) -> None:
        """Be called after it."""
        seconds = time.perf_counter() - self._began
        whole = self._result.with_suffix(".tmp")
        whole.write_text(json.dumps({"seconds": seconds, "receipt": receipt}))
        whole.rename(self._result)


for name, delivery in json.loads(os.environ.get("BENCHMARK_DELIVERIES", "{}")).items():
    watch = Stopwatch(Path(delivery["result"]), ledger=delivery["ledger"])
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        deliver(
            delivery["job"],
            delivery["outcomes_path"],
            delivery["conn_id"],
            pre_execute=watch.start,
            post_execute=watch.stop,
        )
    globals()[name] = dag

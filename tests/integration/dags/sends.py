"""The DAGs that the scheduler's tests trigger: each a task ``send``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator, task

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.vendors.collect import send
from tests.integration.sends import SENDS
from tests.integration.shards import SHARD_CONCURRENCY

# Sandboxes show at once what they have: a minute of look-ups after every kill would take hours.
send.BETWEEN_LOOKUPS = 1.0

# More than any test kills.
MANY = 1000


def dag(dag_id: str, make: Callable[..., BaseOperator], **parameters: Any) -> None:
    """Make a DAG of one task; Airflow finds it by its ``with``."""
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        make(**{"retry_delay": timedelta(0), **parameters})


for name, kind in SENDS.items():
    dag(name, kind.task, retries=MANY)
dag("once", SENDS["ozonetel"].task, retries=0)
dag("times-out", SENDS["ozonetel"].task, retries=0, execution_timeout=timedelta(seconds=5))

with DAG("shards", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task(retries=MANY, retry_delay=timedelta(0))
    def shards(dag_run: Any = None) -> list[list[dict[str, str]]]:
        """Return the lists of contacts of the file that the run names."""
        lists: list[list[dict[str, str]]] = json.loads(Path(dag_run.conf["contacts"]).read_text())
        return lists

    AddCampaignLeadOperator.partial(
        task_id="send",
        campaign_name="{{ dag_run.conf['campaign'] }}",
        outcomes_path="{{ dag_run.conf['outcomes'] }}",
        check_duplicate=False,
        max_concurrency=SHARD_CONCURRENCY,
        on_unknown="skip",
        retries=0,
    ).expand(contacts=shards())

"""The DAGs that the scheduler's tests trigger: each a task ``send``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_campaigns.vendors.collect import send
from tests.integration.sends import SENDS

# Sandboxes show at once what they have: a minute of look-ups after every kill would take hours.
send.BETWEEN_LOOKS = 1.0

# More than any test kills.
MANY = 1000


def dag(dag_id: str, task: Callable[..., BaseOperator], **parameters: Any) -> None:
    """Make a DAG of one task; Airflow finds it by its ``with``."""
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        task(**{"retry_delay": timedelta(0), **parameters})


for name, kind in SENDS.items():
    dag(name, kind.task, retries=MANY)
dag("once", SENDS["ozonetel"].task, retries=0)
dag("times-out", SENDS["ozonetel"].task, retries=0, execution_timeout=timedelta(seconds=5))

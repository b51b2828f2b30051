"""A DAG that the scheduler's tests trigger: a function that yields many contacts, delivered in the same task."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task


def note(file: str, what: str) -> None:
    """Write down how much memory the process has needed so far."""
    with Path(file).open("a") as notes:
        notes.write(f"{what} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")


with DAG("decorated", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task.execute_xtremepush_campaign(
        task_id="send",
        campaign_id="7",
        outcomes_path="{{ dag_run.conf['outcomes'] }}",
        on_unknown="skip",
        retries=3,
        retry_delay=timedelta(0),
        on_success_callback=lambda context: note(context["dag_run"].conf["notes"], "delivered"),
    )
    def people(dag_run: Any = None) -> Iterator[dict[str, Any]]:
        """Yield as many contacts as the run asks for."""
        note(dag_run.conf["notes"], "called")
        for number in range(dag_run.conf["number"]):
            yield {"user_id": f"user-{number}"}

    people()

"""Starts the try of a task that is running once more, as an executor does that was handed it twice (Airflow 3)."""

from __future__ import annotations

import os
import sys

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteTask
from airflow.models import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select


def workload(dag_id: str, run_id: str, task_id: str) -> str:
    """Return what an executor sends to its worker, as JSON; the try counts as queued again."""
    with create_session() as session:
        same = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
        ti = session.scalars(select(TaskInstance).where(*same)).one()
        ti.state = "queued"
        return ExecuteTask.make(ti, generator=BaseExecutor().jwt_generator).model_dump_json()


if __name__ == "__main__":
    module = "airflow.sdk.execution_time.execute_workload"
    os.execv(sys.executable, [sys.executable, "-m", module, "--json-string", workload(*sys.argv[1:])])

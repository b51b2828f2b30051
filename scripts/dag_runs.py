"""Runs DAGs with ``dag.test()`` in this process, on an Airflow of its own, and returns what their tasks left behind."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

# What the sandbox knows each vendor's caller by, at a fixed port. It is not the vendor and need not be spared, so their
# requests_per_minute is far above the vendors' limits.
CONNECTIONS = Path(__file__).with_name("connections.json")
SANDBOX_PORT = "http://127.0.0.1:8765"


@dataclass(frozen=True)
class TaskRun:
    """
    What one task instance left.

    :param xcoms: by key; ``return_value`` is the task's output.
    """

    task_id: str
    map_index: int
    state: str
    try_number: int
    xcoms: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DagRun:
    """What one run of a DAG left."""

    dag_id: str
    run_id: str
    state: str
    tasks: list[TaskRun]

    @classmethod
    def load(cls, fields: Mapping[str, Any]) -> Self:
        """Return the run whose ``dataclasses.asdict`` went through JSON."""
        return cls(**{**fields, "tasks": [TaskRun(**task) for task in fields["tasks"]]})

    def __getitem__(self, task_id: str) -> TaskRun:
        """Return the task instance of an unmapped task."""
        return next(task for task in self.tasks if task.task_id == task_id)


def environment(home: Path, dags: Path, sandbox_url: str) -> dict[str, str]:
    """
    Return the environment variables of an Airflow of its own whose connections lead to a sandbox.

    They count only for what imports Airflow afterwards.

    :param home: its AIRFLOW_HOME.
    :param dags: its folder of DAGs.
    :param sandbox_url: where the sandbox listens.
    """
    connections = json.loads(CONNECTIONS.read_text().replace(SANDBOX_PORT, sandbox_url))
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_CAMPAIGNS_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": f"{home}/warehouse.db"}),
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
    }


def migrate() -> None:
    """Create Airflow's database."""
    from airflow.utils.db import initdb

    initdb()


def load_dags(folder: Path) -> dict[str, Any]:
    """
    Return the DAGs of a file or folder by id, as Airflow sees them.

    :raises ValueError: a file cannot be imported.
    """
    since_airflow_3_2 = find_spec("airflow.dag_processing.dagbag")
    module = import_module("airflow.dag_processing.dagbag" if since_airflow_3_2 else "airflow.models.dagbag")
    bag = module.DagBag(str(folder))
    if bag.import_errors:
        raise ValueError("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    return dict(bag.dags)


def _keep_api_server() -> None:
    """Let Airflow 3.0 and 3.1 build the API server of ``dag.test()`` once, as later ones do, not for every task."""
    try:
        from airflow.sdk.execution_time import supervisor
    except ModuleNotFoundError:  # Airflow 2
        return
    if not hasattr(supervisor.in_process_api_server, "cache_info"):
        supervisor.in_process_api_server = lru_cache(supervisor.in_process_api_server)


def run_dag(dag: Any) -> DagRun:
    """Run one DAG to its end, retries, reschedules and triggers included."""
    _keep_api_server()
    if hasattr(dag, "sync_to_db"):  # Airflow 2: without it, datasets are not known, and their events are not kept
        dag.sync_to_db()
    run = dag.test()
    return DagRun(dag.dag_id, run.run_id, str(run.state), list(_tasks(run)))


def _tasks(run: Any) -> Iterator[TaskRun]:
    xcoms = _xcoms(run)
    for ti in sorted(run.get_task_instances(), key=lambda ti: (ti.start_date is None, ti.start_date)):
        own = xcoms.get((ti.task_id, ti.map_index), {})
        yield TaskRun(ti.task_id, ti.map_index, str(ti.state), ti.try_number, own)


def _xcoms(run: Any) -> Mapping[tuple[str, int], dict[str, Any]]:
    from airflow.models import xcom
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = getattr(xcom, "XComModel", None) or xcom.BaseXCom
    # Airflow 2 reads the value when it loads the row.
    read = model.deserialize_value if hasattr(xcom, "XComModel") else attrgetter("value")
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with create_session() as session:
        rows = session.scalars(select(model).where(model.dag_id == run.dag_id, model.run_id == run.run_id))
        for row in rows:
            found.setdefault((row.task_id, row.map_index), {})[row.key] = read(row)
    return found

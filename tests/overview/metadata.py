"""
Puts deliveries into Airflow's metadata database, as tasks would, on every version of Airflow.

As a program it reads a JSON list of ``Noted`` from a file, for an Airflow of its own (``tests/browser``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.overview.delivery import TaskId
from airflow_provider_campaigns.state.metadata import metadata_tables, reading_session, task_column

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Noted:
    """
    A task instance and what it noted.

    :param minutes_ago: when it began.
    :param minutes: how long it took; None: it has not ended.
    """

    dag_id: str
    run_id: str = "scheduled__1"
    task_id: str = "send"
    map_index: int = -1
    state: str | None = "success"
    minutes_ago: float = 60.0
    minutes: float | None = 3.0
    xcoms: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] | None = None

    @property
    def task(self) -> TaskId:
        return TaskId(self.dag_id, self.run_id, self.task_id, self.map_index)


def receipt(vendor: str = "xebo", campaign: str = "spring", **counts: Any) -> dict[str, Any]:
    """Return a receipt as a task stores it."""
    by_status: dict[str, Any] = {status: counts.pop(status, 0) for status in STATUSES}
    return {
        "vendor": vendor,
        "campaign": campaign,
        "contacts": sum(by_status.values()),
        **by_status,
        "requests": 1,
        "normalised": 0,
        "outcomes_path": None,
        **counts,
    }


def progress(vendor: str = "xebo", campaign: str = "spring", contacts: int = 1_000, **counts: Any) -> dict[str, Any]:
    """Return a progress note as a task stores it."""
    by_status: dict[str, Any] = {status: counts.pop(status, 0) for status in STATUSES}
    note = {"vendor": vendor, "campaign": campaign, "contacts": contacts, "done": sum(by_status.values()), **by_status}
    return {**note, "per_second": 12.5, "minutes_left": 1.5, "updated": NOW.isoformat(), **counts}


def put(noted: Iterable[Noted], *, replace: bool = False) -> None:
    """
    Put task instances, their runs and what they noted into the metadata database.

    :param replace: what was there is removed, and Airflow knows the DAGs.
    """
    tables, noted = metadata_tables(), list(noted)
    with reading_session() as session:
        if replace:
            _remove_all(session)
            _put_dags(session, {one.dag_id for one in noted})
        for one in noted:
            run = _run_of(session, one)
            instance = _task_instance(one)
            session.execute(tables.task_instance.insert(), [instance])
            for key, value in one.xcoms.items():
                session.execute(_stored_xcoms().insert(), [_xcom(one, run, key, value, instance.get("id"))])
            if one.progress is not None:
                _put_progress(session, one, run)


def _remove_all(session: Any) -> None:
    from airflow.models.dagrun import DagRun

    tables = metadata_tables()
    for table in (tables.progress, _stored_xcoms(), tables.task_instance, DagRun.__table__):
        session.execute(table.delete())


def _put_dags(session: Any, dag_ids: Iterable[str]) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel

    session.merge(DagBundleModel(name="noted"))
    session.flush()
    for dag_id in dag_ids:
        session.merge(DagModel(dag_id=dag_id, bundle_name="noted", is_stale=False, fileloc=f"/dags/{dag_id}.py"))
    session.flush()


def _put_progress(session: Any, one: Noted, run: int) -> None:
    table = metadata_tables().progress
    if "id" not in table.c:
        session.execute(table.insert(), [_xcom(one, run, "progress", one.progress)])
        return
    row = {"dag_run_id": run, **_of(one, table), "key": "progress", "value": json.dumps(one.progress)}
    session.execute(table.insert(), [{**row, "updated_at": NOW}])


def _of(one: Noted, table: sa.Table) -> dict[str, Any]:
    return {task_column(table, name).name: value for name, value in one.task._asdict().items()}


def _stored_xcoms() -> sa.Table:
    """Return the table that XComs are written to; that of Airflow 3.4 is read through a union with its predecessor."""
    xcom = metadata_tables().xcom
    if isinstance(xcom, sa.Table):
        return xcom
    from airflow.models.xcom import XComModelV2

    table: sa.Table = XComModelV2.__table__
    return table


def _run_of(session: Any, one: Noted) -> int:
    from airflow.models.dagrun import DagRun

    runs: Any = DagRun.__table__
    found: int | None = session.execute(
        sa.select(runs.c.id).where(runs.c.dag_id == one.dag_id, runs.c.run_id == one.run_id)
    ).scalar()
    if found is not None:
        return found
    began = _began(one)
    row = {"dag_id": one.dag_id, "run_id": one.run_id, "run_type": "manual", "state": "success", "start_date": began}
    # Airflow 2 has one run per instant.
    unique = began - timedelta(microseconds=next(_RUNS))
    dates = {name: unique for name in ("execution_date", "logical_date", "run_after", "queued_at") if name in runs.c}
    key: int = session.execute(runs.insert().values(**row, **dates)).inserted_primary_key[0]
    return key


_RUNS = count()


def _task_instance(one: Noted) -> dict[str, Any]:
    columns = metadata_tables().task_instance.c
    began = _began(one)
    row = {
        **_of(one, metadata_tables().task_instance),
        "state": one.state,
        "start_date": began,
        "end_date": None if one.minutes is None else began + timedelta(minutes=one.minutes),
        "pool": "default_pool",
        "try_number": 1,
        "max_tries": 0,
    }
    if "id" in columns:
        # A UUID, or text before Airflow 3.2.
        row["id"] = str(uuid4()) if isinstance(columns["id"].type, sa.String) else uuid4()
    return row


def _xcom(one: Noted, run: int, key: str, value: Any, task_instance_id: Any = None) -> dict[str, Any]:
    fields = {"dag_run_id": run, **one.task._asdict(), "task_instance_id": task_instance_id}
    fields |= {"key": key, "value": _value(value), "timestamp": _began(one)}
    return {name: field for name, field in fields.items() if name in _stored_xcoms().c}


def _value(value: Any) -> Any:
    column = metadata_tables().xcom.c.value
    is_bytes = isinstance(getattr(column.type, "impl", column.type), sa.LargeBinary)
    return json.dumps(value).encode() if is_bytes else value


def _began(one: Noted) -> datetime:
    return NOW - timedelta(minutes=one.minutes_ago)


def as_json(noted: Iterable[Noted]) -> str:
    """Return what this program reads."""
    return json.dumps([asdict(one) for one in noted])


if __name__ == "__main__":
    put((Noted(**one) for one in json.loads(Path(sys.argv[1]).read_text())), replace=True)

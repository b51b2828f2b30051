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
from airflow_provider_campaigns.state.metadata import metadata_tables, reading_session

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


def put(noted: Iterable[Noted]) -> None:
    """Put task instances, their runs and what they noted into the metadata database."""
    tables = metadata_tables()
    with reading_session() as session:
        for one in noted:
            run = _run_of(session, one)
            session.execute(tables.task_instance.insert(), [_task_instance(one)])
            for key, value in one.xcoms.items():
                session.execute(tables.xcom.insert(), [_xcom(one, run, key, value)])
            if one.progress is not None:
                _put_progress(session, one, run)


def show(noted: Noted, note: dict[str, Any]) -> None:
    """Store a later progress note of a task instance."""
    table = metadata_tables().progress
    own = [table.c[name] == value for name, value in noted.task._asdict().items()]
    value = json.dumps(note) if "id" in table.c else _value(note)
    with reading_session() as session:
        session.execute(table.update().where(*own, table.c.key == "progress").values(value=value))


def _put_progress(session: Any, one: Noted, run: int) -> None:
    table = metadata_tables().progress
    if "id" not in table.c:
        session.execute(table.insert(), [_xcom(one, run, "progress", one.progress)])
        return
    row = {"dag_run_id": run, **one.task._asdict(), "key": "progress", "value": json.dumps(one.progress)}
    session.execute(table.insert(), [{**row, "updated_at": NOW}])


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
        **one.task._asdict(),
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


def _xcom(one: Noted, run: int, key: str, value: Any) -> dict[str, Any]:
    return {"dag_run_id": run, **one.task._asdict(), "key": key, "value": _value(value), "timestamp": _began(one)}


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
    put(Noted(**one) for one in json.loads(Path(sys.argv[1]).read_text()))

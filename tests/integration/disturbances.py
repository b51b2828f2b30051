"""What happens to a send beside kills: its contacts change, its outcomes or records are gone, its process is paused."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from running_airflow import AIRFLOW_3, FINISHED

from tests.integration.crashes import Send
from tests.operators.deliveries import write_csv
from tests.versions import AIRFLOW_V_3_3_PLUS

# Seconds that a statement waits for SQLite's lock, which Airflow's processes hold now and then.
LOCKED_SECONDS = 60.0


def lose_outcomes(send: Send, dice: random.Random) -> None:
    """Kill the send, and remove its folder of outcomes."""
    with _killed(send, dice):
        shutil.rmtree(send.run.airflow.home / "outcomes" / send.run.dag_id, ignore_errors=True)


def shuffle_contacts(send: Send, dice: random.Random) -> None:
    """Kill the send, and give it its contacts in another order, until a try was refused; then as they were."""
    before = send.contacts.read_bytes()
    with _killed(send, dice):
        write_csv(send.contacts, [{send.kind.column: key} for key in dice.sample(send.people, len(send.people))])
    _refused(send)
    send.contacts.write_bytes(before)


def lose_record(send: Send, dice: random.Random) -> None:
    """Kill the send, and take the record of a try out of the ledger, until a try was refused; then put it back."""
    table, names, where = _records(send)
    with _killed(send, dice), _database(send) as database:
        records = database.execute(f"SELECT id, {names} FROM {table} WHERE {where}").fetchall()
        number, *record = dice.choice(records)
        database.execute(f"DELETE FROM {table} WHERE id = ?", (number,))
        database.commit()
    _refused(send)
    with _database(send) as database:
        marks = ", ".join("?" * len(record))
        database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", record)
        database.commit()


def overtake(send: Send, dice: random.Random) -> None:
    """Pause the task's process until Airflow has started the next try, then let it continue beside its successor."""
    if not send.wait_for_requests(send.requests() + dice.randint(1, 10)):
        return
    running = send.run.task()
    if running.state in FINISHED or running.pid is None:
        return
    process = psutil.Process(running.pid)
    paused = [one for one in (process.parent(), process) if one]
    for one in paused:
        one.suspend()
    send.kills += 1
    try:
        send.run.until("is tried again", lambda task: task.state in FINISHED or task.pid not in {None, running.pid})
        send.wait_for_requests(send.requests() + dice.randint(1, 10))
    finally:
        for one in paused:
            one.resume()


# Airflow 2 has one process after the other: while one is paused, no other one is started.
DISTURBANCES: tuple[Callable[[Send, random.Random], None], ...] = (
    lose_outcomes,
    shuffle_contacts,
    lose_record,
    *((overtake,) if AIRFLOW_3 else ()),
)


@contextmanager
def _killed(send: Send, dice: random.Random) -> Iterator[None]:
    """Within ``with``, the process of the send stands still in the middle; then it is killed."""
    send.wait_for_requests(send.requests() + dice.randint(1, 10))
    pid = send.run.running().pid
    assert pid
    psutil.Process(pid).suspend()
    yield
    send.run.signal(signal.SIGKILL)
    send.kills += 1


def _refused(send: Send) -> None:
    """Wait until two more tries have begun, and check that the first of them sent nothing."""
    number, requests = send.run.task().try_number, send.requests()
    send.run.until("was refused", lambda task: task.state in FINISHED or task.try_number >= number + 2)
    assert send.requests() == requests


def _records(send: Send) -> tuple[str, str, str]:
    """Return the table of the ledger, its columns, and what is true of the records of tries."""
    run = send.run
    if AIRFLOW_V_3_3_PLUS:
        names = "dag_run_id, task_id, map_index, key, dag_id, run_id, value, updated_at, expires_at"
        return "task_state_store", names, f"run_id = '{run.run_id}' AND key GLOB 'try-*'"
    identity = json.dumps([run.dag_id, run.run_id, "send", -1])
    ledger = f"campaigns_ledger_{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
    return "variable", "key, val, description, is_encrypted", f"key GLOB '{ledger}_try-*'"


@contextmanager
def _database(send: Send) -> Iterator[Any]:
    path: Path = send.run.airflow.home / "airflow.db"
    with closing(sqlite3.connect(path, timeout=LOCKED_SECONDS)) as connection:
        yield connection

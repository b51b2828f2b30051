"""What happens to a send beside kills: its contacts change, its outcomes or records are gone, its process is paused."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from running_airflow import AIRFLOW, AIRFLOW_3, FINISHED

from tests.integration.crashes import Send
from tests.operators.deliveries import write_csv
from tests.versions import AIRFLOW_V_3_3_PLUS

# Seconds that a statement waits for SQLite's lock, which Airflow's processes hold now and then.
LOCKED_SECONDS = 60.0
# And that others are given to give it back.
FREE_SECONDS = 5.0
# After so long without one, no request of a process that was killed arrives any more.
QUIET_SECONDS = 0.5
# A send that was started twice is waited for.
END_SECONDS = 300.0


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
    with _paused(send, dice) as pid:
        if pid:
            send.run.until("is tried again", lambda task: task.state in FINISHED or task.pid not in {None, pid})
            send.wait_for_requests(send.requests() + dice.randint(1, 10))


def start_twice(send: Send, dice: random.Random) -> None:
    """Pause the task's process, start the same try in another one, then let the first continue beside it."""
    run, started = send.run, None
    try:
        with _paused(send, dice) as pid:
            if pid:
                arguments = [run.dag_id, run.run_id, "send"]
                command = [sys.executable, "-m", "tests.integration.second_start", *arguments]
                if not AIRFLOW_3:
                    dag_id, run_id, task_id = arguments
                    command = [*AIRFLOW, "tasks", "run", "--raw", dag_id, task_id, run_id]
                # Either may end the other one; where the first still reports that it failed, a retry overtakes both.
                send.kills += 1 if AIRFLOW_3 else 2
                started = run.airflow.start({f"second-start-{run.run_id}": command})
                # Those in flight when it was paused may still arrive.
                requests = send.requests() + send.kind.max_concurrency + dice.randint(1, 10)
                run.wait("requests of a second process", lambda: send.requests() >= requests)
        run.until("is over", lambda task: task.state in FINISHED, END_SECONDS)
    finally:
        if started:
            started.communicate()


Disturb = Callable[[Send, random.Random], None]

OF_WHAT_IS_STORED: tuple[Disturb, ...] = (lose_outcomes, shuffle_contacts, lose_record)
# A send ends with the last one. The scheduler of Airflow 2 has one process after the other: while one is paused, it
# starts no other one.
OF_PROCESSES: tuple[Disturb, ...] = (*((overtake,) if AIRFLOW_3 else ()), start_twice)
DISTURBANCES = OF_WHAT_IS_STORED + OF_PROCESSES


@contextmanager
def _paused(send: Send, dice: random.Random) -> Iterator[int | None]:
    """Within ``with``, the process of the send stands still; yields its id, None if the send is over before."""
    if not send.wait_for_requests(send.requests() + dice.randint(1, 10)):
        yield None
        return
    running = send.run.task()
    if running.state in FINISHED or running.pid is None:
        yield None
        return
    process = psutil.Process(running.pid)
    paused = [one for one in (process.parent(), process) if one]
    _suspend(send, paused)
    send.kills += 1
    try:
        yield running.pid
    finally:
        for one in paused:
            one.resume()


def _suspend(send: Send, processes: list[psutil.Process]) -> None:
    """Suspend processes, at a moment at which they do not hold the lock of SQLite, which others wait for."""
    while True:
        for one in processes:
            one.suspend()
        try:
            with _database(send, seconds=FREE_SECONDS) as database:
                database.execute("BEGIN IMMEDIATE")
                database.rollback()
        except sqlite3.OperationalError:
            for one in processes:
                one.resume()
            continue
        return


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
    number, requests = send.run.task().try_number, _all_requests(send)
    send.run.until("was refused", lambda task: task.state in FINISHED or task.try_number >= number + 2)
    assert send.requests() == requests


def _all_requests(send: Send) -> int:
    """Return how many requests the vendor received, those included that a killed process had on their way."""
    requests = -1
    while requests != (requests := send.requests()):
        time.sleep(QUIET_SECONDS)
    return requests


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
def _database(send: Send, seconds: float = LOCKED_SECONDS) -> Iterator[Any]:
    path: Path = send.run.airflow.home / "airflow.db"
    with closing(sqlite3.connect(path, timeout=seconds)) as connection:
        yield connection

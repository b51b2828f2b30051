"""
What contact history costs: reservations a second under a cap, and whole deliveries with and without it.

``python -m benchmarks.history JOB`` runs one delivery, with the history that ``AIRFLOW_CONN_HISTORY`` leads to, if it
is set: prints its seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks import bare
from benchmarks.delivery import connection
from benchmarks.jobs import Job, write_contacts
from benchmarks.report import Table
from benchmarks.vendor_server import VendorServer
from tests.postgres.server import PostgresServer

if TYPE_CHECKING:
    from airflow_provider_campaigns.history.connection import History
    from airflow_provider_campaigns.history.deliveries import DeliveryHistory
    from airflow_provider_campaigns.protocol.history import ContactEnd, HeldBack
    from airflow_provider_campaigns.protocol.send import Contact

ROOT = Path(__file__).parents[1]
KEY = "a secret of these benchmarks"

PAST = 1_000_000
NOW = 100_000
# Contacts of one transaction: what is ahead with 16 requests in flight for one contact each, and of batches.
ROUNDS = (32, 1_000)
LATENCIES = (0.05, 0.0)
LEADS = 3_000
TIMES = 3
WITHOUT = "without history"


def tables(folder: Path) -> list[Table]:
    """Measure on a PostgreSQL of its own, which writes to the disk before it answers."""
    with PostgresServer(fsync="on") as server:
        environment = {"AIRFLOW_CONN_HISTORY": json.dumps(server.connection(hash_key=KEY)), "AIRFLOW_HOME": str(folder)}
        os.environ.update(environment)
        from airflow_provider_campaigns.history.connection import open_history

        history = open_history("history")
        _fill(history)
        reserved = [_reserve(history, size) for size in ROUNDS]
        history.database.engine.dispose()
        compared = [_compare(folder, latency) for latency in LATENCIES]
        for name in environment:
            del os.environ[name]
    return [
        Table(
            f"Reservations under a cap, {NOW:,} contacts, {PAST:,} in the history (PostgreSQL)",
            ("contacts per transaction", "capped", "contacts a second"),
            reserved,
            "Each contact is locked, counted, reserved, and settled afterwards.",
        ),
        *compared,
    ]


def _contact(number: int) -> tuple[int, Contact]:
    from airflow_provider_campaigns.identity import read_phone
    from airflow_provider_campaigns.protocol.send import Contact

    person = read_phone(f"+1555{number:07}")
    return number + 1, Contact(person.text, {}, (person.text,), person.key, (person,))


def _delivery(history: History, run: str, *caps: str) -> DeliveryHistory:
    from airflow_provider_campaigns.history.caps import parse_caps
    from airflow_provider_campaigns.history.deliveries import About, DeliveryHistory, TaskKey

    about = About("ozonetel", "account", "evening", "call")
    return DeliveryHistory(history, TaskKey("dag", run, "send", -1), about, parse_caps(caps))


def _parts(contacts: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [contacts[start : start + size] for start in range(0, len(contacts), size)]


def _fill(history: History) -> None:
    """Note what other deliveries did."""
    before = _delivery(history, "before")
    for part in _parts(range(PAST), 10_000):
        before.reserve([_contact(number) for number in part])


def _reserve(history: History, size: int) -> tuple[str, str, str]:
    """Reserve and settle contacts of which one in ten was contacted before."""
    from airflow_provider_campaigns.protocol.history import ContactEnd

    # Others each time; a tenth of them were contacted before.
    known = range(ROUNDS.index(size) * NOW, ROUNDS.index(size) * NOW + NOW // 10)
    new = range(PAST + ROUNDS.index(size) * NOW, PAST + ROUNDS.index(size) * NOW + NOW - len(known))
    contacts = [_contact(number) for number in (*known, *new)]
    delivery = _delivery(history, f"now {size}", "1 per 7 days", "3 per 30 days per channel")
    held = 0
    ends: list[ContactEnd] = []
    began = time.perf_counter()
    for part in _parts(contacts, size):
        # In one transaction, as the ledger does it.
        some = history.database.run(partial(_settle_and_reserve, delivery, ends, part))
        held += len(some)
        ends = [ContactEnd(row, one, "accepted", None, None) for row, one in part if row not in some]
    delivery.settle(ends)
    seconds = time.perf_counter() - began
    return f"{size:,}", f"{held:,}", f"{NOW / seconds:,.0f}"


def _settle_and_reserve(
    delivery: DeliveryHistory, ends: Sequence[ContactEnd], part: Sequence[tuple[int, Contact]], _: object
) -> Mapping[int, HeldBack]:
    delivery.settle(ends)
    return delivery.reserve(part)


def _compare(folder: Path, latency: float) -> Table:
    with VendorServer(latency) as server:
        job = Job(server.url, write_contacts(folder, LEADS, 1), 1, concurrency=16)
        contestants: dict[str, Callable[[], float]] = {
            bare.AIOHTTP: lambda: bare.seconds(bare.AIOHTTP, job),
            WITHOUT: lambda: _run(job, ""),
            "with history, ledger and cap": lambda: _run(job, "1 per 7 days"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(TIMES):
            for name, run in contestants.items():
                seconds[name].append(run())
    rates = {name: LEADS / median(found) for name, found in seconds.items()}
    return Table(
        f"One contact per request, 16 in flight, {latency * 1000:.0f} ms, {LEADS:,} contacts",
        ("", "contacts a second", "of the aiohttp loop", "of no history"),
        [
            (name, f"{rate:,.0f}", f"{rate / rates[bare.AIOHTTP]:.2f}", f"{rate / rates[WITHOUT]:.2f}")
            for name, rate in rates.items()
        ],
        "The median of some runs that take turns. Without a history the ledger is in memory.",
    )


def _run(job: Job, cap: str) -> float:
    """Run a delivery in a process of its own, and return its seconds."""
    environment = {**os.environ, "BENCHMARK_CAP": cap}
    command = [sys.executable, "-m", "benchmarks.history", json.dumps(asdict(job))]
    output = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output.splitlines()[-1])


def _deliver(job: Job, cap: str, folder: str) -> float:
    os.environ["AIRFLOW_CONN_OZONETEL_DEFAULT"] = connection("ozonetel", job.url)
    from airflow_provider_campaigns.state import task_state
    from benchmarks.dags.deliver import deliver

    memory = task_state.MemoryStore()
    task_state.task_state = lambda context: memory
    operator = deliver(asdict(job), f"{folder}/outcomes")
    if cap:
        _forget()
        operator.history_conn_id, operator.frequency_cap = "history", cap
    ti: Any = SimpleNamespace(
        dag_id="dag",
        run_id=folder,
        task_id="send",
        map_index=-1,
        try_number=1,
        max_tries=0,
        xcom_push=lambda **_: None,
    )
    began = time.perf_counter()
    context: Any = {"ti": ti}
    receipt = operator.execute(context)
    assert receipt["accepted"] == LEADS
    return time.perf_counter() - began


def _forget() -> None:
    """Let nobody have been contacted by the run before."""
    import sqlalchemy as sa

    from airflow_provider_campaigns.history.connection import open_history
    from airflow_provider_campaigns.history.tables import contacts

    history = open_history("history")
    with history.database.engine.begin() as database:
        database.execute(sa.update(contacts).where(contacts.c.source_row <= LEADS).values(status="rejected"))
    history.database.engine.dispose()


if __name__ == "__main__":
    with TemporaryDirectory() as own:
        print(_deliver(Job(**json.loads(sys.argv[1])), os.environ["BENCHMARK_CAP"], own))

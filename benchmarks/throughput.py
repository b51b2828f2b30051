"""Contacts per second: this package in a task of a real Airflow, against other ways of doing the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Self

from running_airflow import FINISHED, STARTING, wait_for

from benchmarks import bare
from benchmarks.delivery import connection
from benchmarks.jobs import Job, write_contacts
from benchmarks.report import Table
from benchmarks.vendor_server import VendorServer
from tests.integration.scheduler import NOTICING, ScheduledAirflow

DAGS = Path(__file__).with_name("dags")

PACKAGE, IN_MEMORY, HTTP_OPERATOR = "this package", "this package, ledger in memory", "HttpOperator, mapped"
MAPPED_LEADS = 100
# A loop without concurrency would take minutes for all of them, at the same rate.
SEQUENTIAL_REQUESTS = 200
LONGEST = 300.0
# Seconds between two questions to Airflow, whose answers take from what is measured.
POLL_SECONDS = 2.0
AT_ONCE = """\
A server that answers at once shows what a delivery costs by itself. With few requests in flight half of it is the
ledger: a write goes through Airflow's supervisor and API server, and what is intended but not settled never exceeds
twice the requests in flight. The other half is what is checked of each contact and each
reply, and outcomes that are flushed to disk."""
FEW_IN_FLIGHT = """\
With two requests in flight no more than two others are intended: a write of the ledger may take as long as a request,
less what it takes to write the outcomes, and when it takes longer, requests wait for it."""


@dataclass(frozen=True)
class Comparison:
    """
    One job for all contestants.

    :param latency: seconds the server takes to answer.
    :param times: runs of each, of which the median counts.
    :param note: what a reader of the table should know.
    """

    contacts: int
    batch_size: int
    concurrency: int
    latency: float
    times: int
    note: str = ""

    @property
    def name(self) -> str:
        """What a heading says."""
        calls = "one per call" if self.batch_size == 1 else f"{self.batch_size:,} per call"
        return (
            f"{self.contacts:,} contacts, {calls}, {self.concurrency} requests in flight, {self.latency * 1000:.0f} ms"
        )

    @property
    def dag_id(self) -> str:
        """What its DAG is called."""
        return f"deliver_{self.contacts}_{self.batch_size}_{self.concurrency}_{self.latency * 1000:.0f}"


COMPARISONS = [
    Comparison(10_000, 1, 16, 0.05, times=3),
    Comparison(10_000, 1, 16, 0.0, times=3, note=AT_ONCE),
    Comparison(10_000, 1, 128, 0.0, times=3),
    Comparison(100_000, 100, 2, 0.05, times=1),
    Comparison(100_000, 500, 2, 0.05, times=3, note=FEW_IN_FLIGHT),
    Comparison(100_000, 500, 2, 0.0, times=3),
]

# Airflow is slow to answer what it is asked for the first time.
WARM_UP = Comparison(100, 1, 16, 0.0, times=1)


class Contest:
    """
    A server for each latency, and an Airflow with a DAG for each comparison, within ``with``.

    :param folder: an empty folder.
    """

    def __init__(self, folder: Path, comparisons: list[Comparison]) -> None:
        self._folder = folder
        self._comparisons = [WARM_UP, *comparisons]
        self._servers = {latency: VendorServer(latency) for latency in {one.latency for one in self._comparisons}}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in self._servers.values():
                stack.enter_context(server)
            self._files = {
                one.dag_id: write_contacts(self._folder, one.contacts, one.batch_size) for one in self._comparisons
            }
            home = self._folder / "airflow"
            home.mkdir()
            self._airflow = stack.enter_context(ScheduledAirflow(home, "http://127.0.0.1:1", **self._settings()))
            self.run(PACKAGE, WARM_UP)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def run(self, contestant: str, comparison: Comparison) -> float:
        """Return the contacts per second of one run."""
        if contestant == HTTP_OPERATOR:
            return self._mapped()
        if contestant in {PACKAGE, IN_MEMORY}:
            return comparison.contacts / self._delivered(comparison, ledger=contestant == PACKAGE)
        job, contacts = self.job(comparison), comparison.contacts
        if contestant == bare.SESSION and comparison.latency:
            contacts = min(contacts, SEQUENTIAL_REQUESTS * comparison.batch_size)
            job = replace(job, contacts=write_contacts(self._folder, contacts, comparison.batch_size))
        return contacts / bare.seconds(contestant, job)

    def job(self, comparison: Comparison) -> Job:
        """Return what the contestants get."""
        url = self._servers[comparison.latency].url
        return Job(url, self._files[comparison.dag_id], comparison.batch_size, comparison.concurrency)

    def _delivered(self, comparison: Comparison, *, ledger: bool) -> float:
        dag_id = _dag_id(comparison, ledger=ledger)
        result = self._result(dag_id)
        result.unlink(missing_ok=True)
        run = self._airflow.trigger(dag_id)
        if run.end(LONGEST, POLL_SECONDS).state != "success":
            raise RuntimeError(f"{dag_id}:\n{run.log()[-4000:]}")
        found = json.loads(result.read_text())
        if found["receipt"]["accepted"] != comparison.contacts:
            raise RuntimeError(f"{dag_id}: {found['receipt']}")
        return float(found["seconds"])

    def _mapped(self) -> float:
        """Return the rate of a DAG run with a task per lead, from its start to its end as Airflow notes them."""
        run = self._airflow.trigger("http_operator")
        path = f"dags/{run.dag_id}/dagRuns/{run.run_id}"
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            found.update(self._airflow.call("GET", path))
            return found["state"] in FINISHED

        wait_for("the mapped tasks", has_ended, LONGEST, POLL_SECONDS)
        if found["state"] != "success":
            raise RuntimeError(f"{run.dag_id} ended as {found['state']}")
        began, ended = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
        return MAPPED_LEADS / (ended - began).total_seconds()

    def _result(self, dag_id: str) -> Path:
        return self._folder / f"{dag_id}.json"

    def _settings(self) -> dict[str, str | None]:
        deliveries = {
            _dag_id(one, ledger=ledger): {
                "job": asdict(self.job(one)),
                "conn_id": _conn_id(one),
                "outcomes_path": str(self._folder / "outcomes"),
                "result": str(self._result(_dag_id(one, ledger=ledger))),
                "ledger": ledger,
            }
            for one in self._comparisons
            for ledger in (True, False)
        }
        return {
            # What makes Airflow quick to test keeps it busy meanwhile.
            **dict.fromkeys([*STARTING, *NOTICING]),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "BENCHMARK_DELIVERIES": json.dumps(deliveries),
            "BENCHMARK_LEADS": str(MAPPED_LEADS),
            **dict(self._connections()),
        }

    def _connections(self) -> Iterator[tuple[str, str]]:
        for one in self._comparisons:
            vendor = "ozonetel" if one.batch_size == 1 else "xtremepush"
            yield f"AIRFLOW_CONN_{_conn_id(one).upper()}", connection(vendor, self._servers[one.latency].url)
        url = self._servers[min(self._servers)].url
        yield "AIRFLOW_CONN_BENCH_HTTP", json.dumps({"conn_type": "http", "host": url})


def _dag_id(comparison: Comparison, *, ledger: bool) -> str:
    return comparison.dag_id if ledger else f"{comparison.dag_id}_in_memory"


def _conn_id(comparison: Comparison) -> str:
    return f"bench_{'single' if comparison.batch_size == 1 else 'batch'}_{comparison.latency * 1000:.0f}"


def tables(folder: Path) -> Iterator[Table]:
    """Run every comparison, and yield a table of each."""
    with Contest(folder, COMPARISONS) as contest:
        for comparison in COMPARISONS:
            contestants = [bare.AIOHTTP, PACKAGE, IN_MEMORY, bare.SESSION, bare.THREADS]
            if comparison == COMPARISONS[0]:
                contestants.append(HTTP_OPERATOR)
            rates: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(comparison.times):
                # In turns, so that a machine that is slower for a while is so for all.
                for name in contestants:
                    if name != HTTP_OPERATOR or not rates[name]:
                        rates[name].append(contest.run(name, comparison))
            best = median(rates[bare.AIOHTTP])
            yield Table(
                comparison.name,
                ("", "contacts/s", "of the aiohttp loop"),
                [(name, f"{median(rates[name]):,.0f}", f"{median(rates[name]) / best:.2f}") for name in contestants],
                comparison.note,
            )

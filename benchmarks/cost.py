"""
What a contact costs in CPU time: a whole delivery, and what of it goes into which step before sending.

``python -m benchmarks.cost JOB`` runs in a process of its own, and prints microseconds a contact by step.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.delivery import connection
from benchmarks.jobs import Job, write_contacts
from benchmarks.report import Table
from benchmarks.vendor_server import VendorServer

ROOT = Path(__file__).parents[1]

CONTACTS = 100_000
BATCH_SIZE = 500
TIMES = 3
# As of an import, which the first delivery makes.
WARM_UP = 2_000
STEPS = {
    "rows": "rows of the CSV file read",
    "checked": "made into contacts, and checked",
    "repeats": "repeats found",
    "batches": "cut into batches, with their fingerprint",
    "preflight": "the pass before the first request",
    "delivery": "a whole delivery, all threads",
}


def table(folder: Path) -> Table:
    """Measure deliveries of user ids, many per request, and the steps of phone numbers, which are sent one by one."""
    with VendorServer() as server:
        ids = _measure(Job(server.url, write_contacts(folder, CONTACTS, BATCH_SIZE), BATCH_SIZE, 2))
        phones = _measure(Job(server.url, write_contacts(folder, CONTACTS, 1), 1, 16))
    rows = [(what, f"{ids[step]:.1f}", f"{phones[step]:.1f}" if step in phones else "") for step, what in STEPS.items()]
    return Table(
        f"CPU time of a contact, {CONTACTS:,} contacts from a CSV file, {BATCH_SIZE} per call",
        ("", "user ids, µs", "phone numbers, µs"),
        rows,
        f"The best of {TIMES}. The ledger is in memory.",
    )


def _measure(job: Job) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cost", json.dumps(asdict(job))]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def _microseconds(do: Callable[[], object]) -> float:
    """Return the CPU time of this process for a contact."""
    found = []
    for _ in range(TIMES):
        gc.collect()
        began = time.process_time()
        do()
        found.append(time.process_time() - began)
    return min(found) / CONTACTS * 1e6


def _costs(job: Job, folder: Path) -> dict[str, float]:
    os.environ["AIRFLOW_HOME"] = str(folder)
    for vendor in ("ozonetel", "xtremepush"):
        os.environ[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"] = connection(vendor, job.url)
    from airflow_provider_campaigns.delivery.plan.batches import cut_batches
    from airflow_provider_campaigns.delivery.plan.preflight import check
    from airflow_provider_campaigns.delivery.plan.sources import open_source
    from airflow_provider_campaigns.operators.base.contacts import open_reading
    from benchmarks.dags.deliver import deliver

    operator = deliver(asdict(job), str(folder / "outcomes"))
    source = open_source(job.contacts)
    reading = open_reading(operator.make_send(), operator.hook, columns=None, exclude=None, allow_repeats=False)
    with_repeats = replace(reading, allow_repeats=True)
    rows = _microseconds(lambda: deque(source.read(), 0))
    checked = _microseconds(lambda: deque(with_repeats.entries(source.read()), 0))
    repeats = _microseconds(lambda: deque(reading.entries(source.read()), 0))
    batches = _microseconds(lambda: deque(cut_batches(reading, source, job.batch_size), 0))
    costs = {
        "rows": rows,
        "checked": checked - rows,
        "repeats": repeats - checked,
        "batches": batches - repeats,
        "preflight": _microseconds(lambda: check(reading, source)),
    }
    if job.batch_size > 1:
        warm_up = replace(job, contacts=write_contacts(folder, WARM_UP, job.batch_size))
        deliver(asdict(warm_up), str(folder / "outcomes")).execute({})
        costs["delivery"] = _microseconds(lambda: deliver(asdict(job), str(folder / "outcomes")).execute({}))
    return costs


if __name__ == "__main__":
    with TemporaryDirectory() as own:
        print(json.dumps(_costs(Job(**json.loads(sys.argv[1])), Path(own))))

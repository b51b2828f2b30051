"""Peak memory of a process that delivers up to a million contacts, from one file and from packed part files."""

from __future__ import annotations

from pathlib import Path

from benchmarks import delivery
from benchmarks.jobs import Job, write_contacts, write_packed
from benchmarks.report import Table
from benchmarks.vendor_server import VendorServer

COUNTS = (10_000, 100_000, 1_000_000)
BATCH_SIZE = 1_000
PARTS = 40


def table(folder: Path) -> Table:
    """Run the deliveries one after the other."""
    rows = []
    with VendorServer() as server:
        for count in COUNTS:
            job = Job(server.url, write_contacts(folder, count, BATCH_SIZE), BATCH_SIZE, concurrency=2)
            found = delivery.result(delivery.start(job))
            assert found["receipt"]["accepted"] == count
            rows.append((f"{count:,}", found["before"], found["peak"]))
        # The last file again, packed, and in parts.
        for packed in (
            write_packed(folder / "packed", job.contacts, 1),
            write_packed(folder / "parts", job.contacts, PARTS),
        ):
            found = delivery.result(delivery.start(Job(server.url, packed, BATCH_SIZE, concurrency=2)))
            assert found["receipt"]["accepted"] == COUNTS[-1]
            rows.append((f"{COUNTS[-1]:,}, {Path(packed).name}", found["before"], found["peak"]))
    first = rows[0][2]
    return Table(
        f"Peak memory, {BATCH_SIZE:,} contacts per call",
        ("contacts", "before, MB", "peak, MB", "of the first"),
        [(contacts, f"{before:.0f}", f"{peak:.0f}", f"{peak / first:.2f}") for contacts, before, peak in rows],
        "The whole process, with Airflow's SDK imported: contacts are read, checked, sent and recorded as a stream.",
    )

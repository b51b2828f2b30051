"""How near deliveries come to a limit of requests per minute, and whether the vendor ever had to refuse one."""

from __future__ import annotations

from pathlib import Path

from benchmarks import delivery
from benchmarks.jobs import Job, write_contacts
from benchmarks.report import Table
from benchmarks.vendor_server import VendorServer

LIMITS = (100, 3_000)
# Long enough for the server's window of 60 seconds to fill up.
SECONDS = 90


def table(folder: Path) -> Table:
    """Run a delivery for each limit, side by side: they wait most of the time."""
    rows = []
    servers = [VendorServer(0.05, limit).__enter__() for limit in LIMITS]
    running = [
        delivery.start(Job(server.url, write_contacts(folder, limit * SECONDS // 60, 1), 1, concurrency=16), limit)
        for server, limit in zip(servers, LIMITS, strict=True)
    ]
    for limit, server, process in zip(LIMITS, servers, running, strict=True):
        delivery.result(process)
        counts = server.counts()
        server.__exit__()
        achieved = (counts["requests"] - 1) / counts["seconds"] * 60
        rows.append((f"{limit:,}", f"{achieved:,.1f}", f"{achieved / limit:.3f}", f"{counts['refused']:.0f}"))
    return Table(
        f"Requests per minute over {SECONDS} seconds",
        ("limit", "achieved", "of the limit", "refused (429)"),
        rows,
        "The server refuses what is more than the limit in any 60 seconds.",
    )

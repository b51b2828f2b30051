"""
How long the campaign page takes with many deliveries.

``python -m benchmarks.campaign_page`` fills the empty database of ``AIRFLOW_HOME``, and prints milliseconds by page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.report import Table

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.overview.metadata import Noted

ROOT = Path(__file__).parents[1]
DELIVERIES = 10_000
DAGS = 40
VENDORS = ("xebo", "collect", "xtremepush", "ozonetel", "exotel")
TIMES = 9

PAGES = {
    "first page": "/",
    "page 300": "/?page=300",
    "of one vendor": "/?vendor=xebo",
    "search": "/?search=campaign%207",
    "one delivery": "/delivery?dag_id=dag_3&run_id=scheduled__3&task_id=send",
    "what needs me": "/needs",
    "waiting": "/waiting",
}


def table(folder: Path) -> Table:
    """Measure in a process of its own, whose Airflow has nothing else."""
    environment = {**os.environ, "AIRFLOW_HOME": str(folder), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    for command in (["-m", "airflow", "db", "migrate"], ["-m", __name__]):
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(ran.stdout.splitlines()[-1])
    return Table(
        f"The campaign page, {DELIVERIES:,} deliveries in Airflow's metadata (SQLite)",
        ("page", "ms"),
        [(name, f"{milliseconds:.0f}") for name, milliseconds in found.items()],
        f"The median of {TIMES}, without the network; that of the deliveries includes counting what needs somebody.",
    )


def _noted() -> list[Noted]:
    from tests.overview.metadata import Noted, receipt

    return [
        Noted(
            f"dag_{number % DAGS}",
            f"scheduled__{number}",
            minutes_ago=7.0 * number,
            xcoms={
                "receipt": receipt(
                    VENDORS[number % 5],
                    f"campaign {number % 90}",
                    accepted=900 + number % 100,
                    invalid=number % 7,
                    unknown=int(number % 50 == 0),
                )
            },
        )
        for number in range(DELIVERIES)
    ]


def measure() -> dict[str, float]:
    """Return the milliseconds that each page takes."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    from airflow_provider_campaigns.plugins import app as page
    from tests.overview.metadata import put

    put(_noted())
    app = page.create_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    app.dependency_overrides[page.readable_dags] = lambda: {f"dag_{number}" for number in range(DAGS)}
    for asked in (page.may_read_task, page.may_read_xcoms):
        app.dependency_overrides[asked.dependency] = lambda: None
    with TestClient(app) as client:
        return {name: _milliseconds(client, path) for name, path in PAGES.items()}


def _milliseconds(client: TestClient, path: str) -> float:
    found = []
    for _ in range(TIMES):
        started = time.perf_counter()
        reply = client.get(path)
        found.append((time.perf_counter() - started) * 1000)
        assert reply.status_code == 200, reply.text
    return median(found)


if __name__ == "__main__":
    print(f"\n{json.dumps(measure())}")

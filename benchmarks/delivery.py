"""
One delivery by an operator outside Airflow's processes, its ledger in memory.

``python -m benchmarks.delivery JOB [REQUESTS_PER_MINUTE]``, where JOB is a ``Job`` as JSON: prints the receipt, the
seconds, and the process's memory before the delivery and at its peak, in MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.jobs import Job

ROOT = Path(__file__).parents[1]


def start(job: Job, per_minute: int = 10**7) -> subprocess.Popen[str]:
    """Start a delivery in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.delivery", json.dumps(asdict(job)), str(per_minute)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a delivery, and return what it printed."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the delivery ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def connection(vendor: str, url: str, per_minute: int = 10**7) -> str:
    """Return a connection to the benchmark's server, as Airflow reads it from the environment."""
    extra: dict[str, Any] = {"requests_per_minute": per_minute}
    if vendor == "ozonetel":
        extra["auth_mode"] = "basic"
    return json.dumps({"conn_type": vendor, "host": url, "login": "me", "password": "key", "extra": extra})


def _deliver(job: Job, per_minute: int, folder: str) -> dict[str, Any]:
    os.environ["AIRFLOW_HOME"] = folder
    for vendor in ("ozonetel", "xtremepush"):
        os.environ[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"] = connection(vendor, job.url, per_minute)

    from benchmarks.dags.deliver import deliver

    operator = deliver(asdict(job), f"{folder}/outcomes")
    before = _megabytes()
    started = time.perf_counter()
    receipt = operator.execute({})
    seconds = time.perf_counter() - started
    return {"receipt": receipt, "seconds": seconds, "before": before, "peak": _megabytes()}


def _megabytes() -> float:
    """Return the most that this process had; ``ru_maxrss`` begins with what the process had that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    with TemporaryDirectory() as own:
        print(json.dumps(_deliver(Job(**json.loads(sys.argv[1])), int(sys.argv[2]), own)))

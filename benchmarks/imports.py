"""How long importing each operator and sensor takes beyond what every DAG imports: Airflow parses them often."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_campaigns.get_provider_info import get_provider_info
from benchmarks.report import Table

ROOT = Path(__file__).parents[1]
TIMES = 5
COMPARED = "airflow.providers.http.operators.http"

PROGRAM = """
import sys, time
from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator, XComArg
started = time.perf_counter()
__import__(sys.argv[1])
print()
print((time.perf_counter() - started) * 1000)
"""


def milliseconds(module: str) -> float:
    """Return how long the import takes in a fresh interpreter, the best of ``TIMES``."""
    command = [sys.executable, "-c", PROGRAM, module]
    runs = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(TIMES))
    return min(float(run.stdout.splitlines()[-1]) for run in runs)


def table() -> Table:
    """Time every module of operators and sensors, and the HTTP provider's operator for comparison."""
    info = get_provider_info()
    modules = [module for part in ("operators", "sensors") for one in info[part] for module in one["python-modules"]]
    if find_spec("airflow.providers.http"):
        modules.append(COMPARED)
    return Table(
        f"Import beyond airflow.sdk, best of {TIMES}",
        ("module", "ms"),
        [(module, f"{milliseconds(module):.1f}") for module in modules],
    )

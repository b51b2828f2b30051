"""
How long importing each operator and sensor takes beyond what every DAG imports: Airflow parses DAG files all the time.

``python benchmarks/imports.py``: each module in fresh interpreters, the best of several counts.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from airflow_provider_campaigns.get_provider_info import get_provider_info  # noqa: E402 - also when not installed

TIMES = 5
TARGET = 60.0  # ms
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
    """Return how long the import takes, the best of ``TIMES``."""
    command = [sys.executable, "-c", PROGRAM, module]
    runs = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(TIMES))
    return min(float(run.stdout.splitlines()[-1]) for run in runs)


def main() -> None:
    info = get_provider_info()
    modules = [module for part in ("operators", "sensors") for one in info[part] for module in one["python-modules"]]
    if find_spec("airflow.providers.http"):
        modules.append(COMPARED)
    print(f"{'':50} best of {TIMES}")
    for module in modules:
        took = milliseconds(module)
        note = "" if took <= TARGET else f"  more than {TARGET:.0f} ms"
        print(f"{module:50} {took:6.1f} ms{'  (for comparison)' if module == COMPARED else note}", flush=True)


if __name__ == "__main__":
    main()

"""What importing operators, sensors and the plugin loads: Airflow parses DAG files all the time, so next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
INFO = get_provider_info()
MODULES = [module for part in ("operators", "sensors") for one in INFO[part] for module in one["python-modules"]]
# Every process of Airflow loads its plugins.
MODULES.append("airflow_provider_campaigns.plugins.campaigns")

# The first import is what every DAG loads.
PROGRAM = """
import importlib, json, sys
from airflow.providers.common.compat.sdk import DAG, AirflowPlugin, BaseOperator
from airflow.providers.common.compat.sdk import BaseOperatorLink, BaseSensorOperator, XComArg

before, events = set(sys.modules), []
loading = (".py", ".pyc", ".so")

def hook(event, arguments):
    if event.startswith("socket.") or (event == "open" and not str(arguments[0]).endswith(loading)):
        events.append(f"{event} {arguments[0]}")

sys.addaudithook(hook)
for module in sys.argv[1:]:
    importlib.import_module(module)
seen = list(events)
print()
print(json.dumps({"modules": sorted(set(sys.modules) - before), "events": seen}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, Any]:
    """What importing them all loaded beyond what a DAG needs anyway, and what it opened."""
    command = [sys.executable, "-B", "-c", PROGRAM, *MODULES]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result


def test_no_file_is_read_and_no_connection_made(loaded: dict[str, Any]) -> None:
    assert loaded["events"] == []


def test_no_other_package_is_loaded(loaded: dict[str, Any]) -> None:
    packages = {name.partition(".")[0] for name in loaded["modules"]} - set(sys.stdlib_module_names)
    assert packages <= {"airflow_provider_campaigns", "airflow"}


def test_nothing_of_airflows_server_is_loaded(loaded: dict[str, Any]) -> None:
    ours = "airflow.providers.common.compat."
    assert [name for name in loaded["modules"] if name.startswith("airflow.") and not name.startswith(ours)] == []


@pytest.mark.parametrize(
    "part", ["vendors", "transports", "hooks", "delivery.run", "sandbox", "triggers", "overview", "plugins.app"]
)
def test_of_our_own_only_what_a_dag_author_sees(loaded: dict[str, Any], part: str) -> None:
    package = f"airflow_provider_campaigns.{part}"
    assert [name for name in loaded["modules"] if name == package or name.startswith(f"{package}.")] == []

"""An Airflow of its own for each kind of test, in which ``dag.test()`` runs DAGs against the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from itertools import count
from pathlib import Path
from textwrap import indent
from types import TracebackType
from typing import Self

import dag_runs
import pytest
from dag_runs import DagRun

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration import leaks
from tests.integration.scheduler import ScheduledAirflow
from tests.migrated import copy_database

ROOT = Path(__file__).parents[2]

HEADER = """
from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.operators.collect import *
from airflow_provider_campaigns.operators.exotel import *
from airflow_provider_campaigns.operators.ozonetel import *
from airflow_provider_campaigns.operators.xebo import *
from airflow_provider_campaigns.operators.xtremepush import *
from airflow_provider_campaigns.sensors.collect import *
from airflow_provider_campaigns.sensors.exotel import *
from airflow_provider_campaigns.sensors.ozonetel import *
from airflow_provider_campaigns.sensors.xebo import *
from airflow_provider_campaigns.sensors.xtremepush import *

with DAG(
    {dag_id!r},
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    default_args={{"retry_delay": timedelta(0)}},
):
"""


class AirflowProcess:
    """
    Runs DAGs in a process that has an Airflow of its own.

    :param folder: an empty folder for all it makes.
    :param sandbox_url: where the connections lead to.
    :param settings: environment variables of Airflow.
    """

    def __init__(self, folder: Path, sandbox_url: str, **settings: str) -> None:
        self.home = folder / "home"
        self.dags = folder / "dags"
        self.log = folder / "output.log"
        self._numbers = count(1)
        self.home.mkdir()
        self.dags.mkdir()
        copy_database(self.home)
        # The coverage of what runs in here is not measured: it would take half as long again.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._environment = {
            **inherited,
            **dag_runs.environment(self.home, self.dags, sandbox_url),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "scripts"), str(ROOT))),
            **settings,
        }

    def twin(self) -> Self:
        """Return another process of the same Airflow, for DAGs that run at the same time."""
        twin = copy(self)
        twin.log = self.log.with_name("output of the twin.log")
        return twin

    def run(self, tasks: str, *, alone: bool = True) -> DagRun:
        """
        Run a DAG of these ``tasks``, Python code that may use every operator and sensor, to its end.

        :param alone: the twin, if there is one, runs nothing meanwhile.
        """
        dag_id = f"dag_{next(self._numbers)}"
        return self.run_file(HEADER.format(dag_id=dag_id) + indent(tasks, "    "), alone=alone)

    def run_file(self, text: str, *, alone: bool = True) -> DagRun:
        """
        Run the only DAG of a file to its end.

        :param text: what the file holds.
        :param alone: the twin, if there is one, runs nothing meanwhile.
        """
        file = self.dags / f"file_{next(self._numbers)}.py"
        file.write_text(text)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"file": str(file), "alone": alone}) + "\n")
        self._process.stdin.flush()
        before = len(self.output())
        answer = json.loads(self._process.stdout.readline() or '{"error": "Airflow ended"}')
        file.unlink()  # Airflow 3.3 parses the whole folder for every run
        sys.stdout.write(self.output()[before:])  # pytest shows it when the test fails
        if "error" in answer:
            pytest.fail(answer["error"])
        return DagRun.load(answer)

    def output(self) -> str:
        """Return all that was logged and printed so far."""
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("driver.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                cwd=self.home,
            )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def echo_url() -> Iterator[str]:
    """A vendor that repeats what it was sent."""
    with leaks.echo() as url:
        yield url


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, sandbox_server: SandboxServer, echo_url: str
) -> Iterator[AirflowProcess]:
    """An Airflow whose connections lead to the sandbox, and that logs all it can."""
    settings = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG", **leaks.connections(sandbox_server.url, echo_url)}
    with AirflowProcess(tmp_path_factory.mktemp("airflow"), sandbox_server.url, **settings) as process:
        yield process


@pytest.fixture(scope="package")
def unlimited() -> Iterator[SandboxClient]:
    """A sandbox without limits; it keeps what earlier tests did, unless it is reset."""
    with SandboxServer(limits=False) as server:
        yield SandboxClient(server.url)


@pytest.fixture(scope="package")
def scheduled(
    tmp_path_factory: pytest.TempPathFactory, unlimited: SandboxClient, echo_url: str
) -> Iterator[ScheduledAirflow]:
    """A whole Airflow whose connections lead to the sandbox without limits, and that logs all it can."""
    settings = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG", **leaks.connections(unlimited.url, echo_url)}
    with ScheduledAirflow(tmp_path_factory.mktemp("airflow"), unlimited.url, **settings) as airflow:
        yield airflow

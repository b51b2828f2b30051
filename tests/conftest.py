"""Fixtures that every test may use, and how the tests are shared among the workers of pytest-xdist."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.migrated import copy_database

INTEGRATION = "tests/integration/"
# The Airflow that the tests of a file share with other files, and so a worker. These and the other processes of
# tests/integration come first, since they take longest. Of any other file, the tests stay together.
SHARED_AIRFLOW = {
    f"{INTEGRATION}{name}.py": airflow
    for airflow, names in {
        "scheduler": ("test_scheduler", "test_scheduled_campaigns"),
        # First what searches all that was logged.
        "dag.test()": (
            "test_nothing_leaks",
            "test_dag_runs",
            "test_create_and_wait",
            "test_sources",
            "test_shared_account",
        ),
    }.items()
    for name in names
}


def make_airflow_home(worker: str) -> None:
    """Give a worker an ``AIRFLOW_HOME`` of its own; to be called before Airflow is imported."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / worker
    home.mkdir(parents=True, exist_ok=True)
    copy_database(home)
    os.environ["AIRFLOW_HOME"] = str(home)


if "MIGRATED_DATABASE" in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    make_airflow_home(os.environ.get("PYTEST_XDIST_WORKER", "main"))


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    order = {file: number for number, file in enumerate(SHARED_AIRFLOW)}
    items.sort(key=lambda item: (not item.nodeid.startswith(INTEGRATION), order.get(_file(item.nodeid), len(order))))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Share the tests among the workers by ``SHARED_AIRFLOW`` and by file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return SHARED_AIRFLOW.get(_file(nodeid), _file(nodeid))

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """The five vendors' APIs on a free loopback port."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxClient:
    """A sandbox that has received nothing, with the default settings."""
    client = SandboxClient(sandbox_server.url)
    client.reset()
    return client


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return a function that returns all that was logged: Airflow's classes log by logging or to stdout, by version."""
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        return caplog.text + "".join(capfd.readouterr())

    return read

"""Fixtures that every test may use, and how the tests are shared among the workers of pytest-xdist."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.migrated import copy_database

ROOT = Path(__file__).parents[1]
# What starts an Airflow that tests share, those that take longest first.
SHARED_AIRFLOWS = ("ScheduledAirflow", "AirflowProcess")
# What a module imports whose tests start processes.
PROCESSES = {"multiprocessing", "subprocess"}
FOLDERS_OF_PROCESSES = ("tests/browser/", "tests/integration/", "tests/packaging/", "tests/postgres/", "tests/recipes/")
# Thousands of deliveries that all take the same way: to count which lines they reach takes as long again.
NOT_COUNTED = tuple(
    f"tests/{name}.py"
    for name in (
        *("delivery/run/test_crashes", "delivery/run/test_random_crashes", "delivery/run/test_recovery"),
        *("delivery/run/test_counts", "delivery/run/test_held", "delivery/record/test_damages"),
        *("history/test_random_crashes", "history/test_senders_at_once"),
    )
)
# Here an Airflow's version makes a difference only to those who read through its object storage.
WITHOUT_AIRFLOW = tuple(
    f"tests/{name}"
    for name in (
        *("delivery/", "identity/", "protocol/", "sandbox/", "transports/", "vendors/"),
        *("test_docs.py", "test_exceptions.py", "test_import_rules.py", "test_masking.py"),
    )
)


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


@cache
def _shared_airflow(file: str) -> str:
    """Return which Airflow the tests of a file share with other files, empty if none."""
    text = (ROOT / file).read_text() if file.startswith("tests/integration/") else ""
    return next((name for name in SHARED_AIRFLOWS if name in text), "")


def _rank(item: pytest.Item) -> tuple[bool, int]:
    file = _file(item.nodeid)
    shared = _shared_airflow(file)
    rank = SHARED_AIRFLOWS.index(shared) if shared else len(SHARED_AIRFLOWS)
    return not file.startswith(FOLDERS_OF_PROCESSES), rank


def _mark(item: pytest.Item, *, first: bool) -> None:
    """Set the markers that follow from where a test stands, and from what its module imports."""
    names = vars(getattr(item, "module", None) or object)
    if item.nodeid.startswith(FOLDERS_OF_PROCESSES) or not PROCESSES.isdisjoint(names):
        item.add_marker("slow")
    if item.nodeid.startswith(NOT_COUNTED):
        item.add_marker("no_cover")
    storage = "ObjectStoragePath" in names or "bucket" in getattr(item, "fixturenames", ())
    if item.nodeid.startswith(WITHOUT_AIRFLOW) and not first and not storage:
        item.add_marker("newest_airflow")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and begin with those that take longest."""
    file = ""
    for item in items:
        _mark(item, first=_file(item.nodeid) != file)
        file = _file(item.nodeid)
    items.sort(key=_rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests that share an Airflow, and those of a file, on one worker."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _shared_airflow(_file(nodeid)) or _file(nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_frozen_garbage() -> Iterator[None]:
    """Freeze nothing: what each of thousands of deliveries in one process freezes would never be collected."""
    from airflow_provider_campaigns.delivery.run import process

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "gc", SimpleNamespace(freeze=lambda: None, unfreeze=lambda: None))
        yield


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

"""Fixtures that every test may use, and how the tests are shared among the workers of pytest-xdist."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.migrated import copy_database
from tests.tracing import TRACERS, UNTRACED, traced_by

ROOT = Path(__file__).parents[1]
# How many cases of a parametrized test count in coverage. Under Python 3.11's tracing a test takes more than twice as
# long, and the other cases of a table take the same ways, but for a few lines.
COUNTED_CASES = 5
COUNTED = pytest.StashKey[bool]()
FIRST_WORKER = "gw0"
# What starts an Airflow that tests share, those that take longest first.
SHARED_AIRFLOWS = ("ScheduledAirflow", "AirflowProcess")
# What a module imports whose tests start processes.
PROCESSES = {"multiprocessing", "subprocess"}
FOLDERS_OF_PROCESSES = ("tests/browser/", "tests/integration/", "tests/packaging/", "tests/postgres/", "tests/recipes/")
# Here an Airflow's version makes a difference only to those who read through its object storage.
WITHOUT_AIRFLOW = tuple(
    f"tests/{name}"
    for name in (
        *("delivery/", "identity/", "protocol/", "sandbox/", "transports/", "vendors/"),
        *("test_docs.py", "test_exceptions.py", "test_import_rules.py", "test_masking.py"),
    )
)
# What takes longest of what Airflow 3.2 does as 3.1 does.
AS_ON_3_1 = tuple(
    f"tests/{name}"
    for name in (
        "delivery/run/test_held.py",
        "history/test_random_crashes.py",
        "history/test_senders_at_once.py",
        "integration/test_decorated.py",
        "integration/test_scheduler.py::test_a_task_that_is_disturbed",
        "operators/exotel/test_contact_lists.py",
        "packaging/",
        "testing/test_guide.py",
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
    storage = "ObjectStoragePath" in names or "bucket" in getattr(item, "fixturenames", ())
    if item.nodeid.startswith(WITHOUT_AIRFLOW) and not first and not storage:
        item.add_marker("newest_airflow")
    if item.nodeid.startswith(AS_ON_3_1):
        item.add_marker("as_on_3_1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and begin with those that take longest."""
    file, cases = "", Counter[str]()
    for item in items:
        _mark(item, first=_file(item.nodeid) != file)
        file = _file(item.nodeid)
        cases[function := item.nodeid.partition("[")[0]] += 1
        counted = not item.get_closest_marker("slow") or item.get_closest_marker("counted")
        item.stash[COUNTED] = bool(counted) and cases[function] <= COUNTED_CASES
    items.sort(key=_rank)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Keep the garbage collector from what lasts as long as the process: Airflow's modules and ten thousand tests.

    All workers import the same modules; one of them counts this in coverage.
    """
    gc.disable()
    try:
        if os.environ.get("PYTEST_XDIST_WORKER", FIRST_WORKER) == FIRST_WORKER:
            return (yield)
        with traced_by(UNTRACED):
            return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count no coverage while pytest prepares a test, and in tests that are not to count."""
    with traced_by(UNTRACED) as item.session.stash[TRACERS]:
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count coverage in the cases that are to count: slow tests take the same ways thousands of times, too."""
    with traced_by(item.session.stash[TRACERS] if item.stash[COUNTED] else UNTRACED):
        return (yield)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Keep the hundred thousand characters of a value out of the name of its test."""
    return f"{val[:40]!a}..." if isinstance(val, str) and len(val) > 200 else None


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


@pytest.fixture(scope="session", autouse=True)
def _no_fsync() -> Iterator[None]:
    """A killed process loses nothing it wrote; flushing to the disk only matters when the machine dies."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """Let Airflow's log mask forget: for each new secret it compiles one pattern of all, those of every test so far."""
    yield
    for module in [module for name, module in sys.modules.items() if name.endswith(".secrets_masker")]:
        if masker := getattr(module, "_secrets_masker", None):
            masker().patterns.clear()
            masker().replacer = None


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

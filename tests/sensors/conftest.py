"""Fixtures for sensors that wait on the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from airflow_provider_campaigns.protocol import retry
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import task_state as operator_state
from tests.connections import connect, keep_tokens_in_memory
from tests.sensors.modes import MODES, Run, Time
from tests.sensors.vendors import THOROUGH, VENDORS, Waiting
from tests.versions import AIRFLOW_V_3_3_PLUS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock that sensors and triggers live by."""
    clock = Time()
    clock.install(monkeypatch)
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0)
    monkeypatch.setattr(retry, "BACKOFF_JITTER", 0)
    return clock


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """
    Run a shared behaviour at two vendors in every mode, and with the marker ``each_vendor`` at the others in one mode.

    A test that names its vendors runs at those in every mode.
    """
    marks = list(metafunc.definition.iter_markers())
    named = {name.strip() for mark in marks if mark.name == "parametrize" for name in _names(mark.args[0])}
    if "run" not in metafunc.fixturenames or "run" in named:
        return
    if "waiting" in named:
        metafunc.parametrize("run", MODES, indirect=True)
        return
    others = VENDORS.keys() - THOROUGH if any(mark.name == "each_vendor" for mark in marks) else set()
    cases = [*product(THOROUGH, MODES), *((vendor, "deferrable") for vendor in sorted(others))]
    metafunc.parametrize(("waiting", "run"), cases, indirect=True)


def _names(names: str | Sequence[str]) -> Sequence[str]:
    return names.split(",") if isinstance(names, str) else names


@pytest.fixture
def waiting(request: pytest.FixtureRequest, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Something at a vendor that is not over."""
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, request.param)
    return VENDORS[request.param](sandbox, monkeypatch)


@pytest.fixture
def run(request: pytest.FixtureRequest, waiting: Waiting, clock: Time, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Its sensor in a mode."""
    if not AIRFLOW_V_3_3_PLUS:
        # These have no task state store, and the Variables used in its place need a database or a supervisor.
        monkeypatch.setattr(operator_state, "task_state", lambda context: context["task_state_store"])
    return Run(waiting.sensor, request.param, clock)

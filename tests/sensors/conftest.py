"""Fixtures for sensors that wait on the sandbox."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_campaigns.protocol import retry
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import task_state as operator_state
from tests.connections import connect, keep_tokens_in_memory
from tests.sensors.modes import MODES, Run, Time
from tests.sensors.vendors import VENDORS, Waiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock that sensors and triggers live by."""
    clock = Time()
    clock.install(monkeypatch)
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0)
    monkeypatch.setattr(retry, "BACKOFF_JITTER", 0)
    return clock


@pytest.fixture(params=sorted(VENDORS))
def waiting(request: pytest.FixtureRequest, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Something at each vendor in turn, or at the one that a test names, that is not over."""
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, request.param)
    return VENDORS[request.param](sandbox, monkeypatch)


@pytest.fixture(params=MODES)
def run(request: pytest.FixtureRequest, waiting: Waiting, clock: Time, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Its sensor in each mode in turn."""
    if not AIRFLOW_V_3_3_PLUS:
        # These have no task state store, and the Variables used in its place need a database or a supervisor.
        monkeypatch.setattr(operator_state, "task_state", lambda context: context["task_state_store"])
    return Run(waiting.sensor, request.param, clock)

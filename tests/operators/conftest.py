"""A context to execute operators with, outside of Airflow's own machinery."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.operators.base.send_window import SendWindow
from airflow_provider_campaigns.protocol import retry
from airflow_provider_campaigns.state import patience, variables
from airflow_provider_campaigns.state import task_state as operator_state
from tests.operators.hours import OPEN
from tests.versions import AIRFLOW_V_3_3_PLUS


@dataclass
class FakeTaskInstance:
    """
    What operators read of a task instance.

    :param max_tries: as Airflow counts: the task's retries, and more once it was cleared.
    :param pushed: the XComs that were pushed, by key.
    """

    try_number: int = 1
    max_tries: int = 0
    dag_id: str = "campaigns"
    run_id: str = "manual__2026-03-01"
    task_id: str = "send"
    map_index: int = -1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


@dataclass
class FakeTaskStateStore:
    """Airflow's task state store, over a dict of JSON texts that outlives a try."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any, retention: Any = None) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class FakeOutletEvents:
    """Airflow's ``outlet_events``: an event for each asset that is asked for."""

    def __init__(self) -> None:
        self._events: dict[str, SimpleNamespace] = {}

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        return self._events.setdefault(asset.uri, SimpleNamespace(extra={}))

    @property
    def extras(self) -> dict[str, Any]:
        """What the events hold, by the assets' URIs."""
        return {uri: event.extra for uri, event in self._events.items()}


@pytest.fixture
def airflow_variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's Variables, by name; none at first."""
    values: dict[str, str] = {}
    monkeypatch.setattr(variables, "read", values.get)
    monkeypatch.setattr(variables, "write", lambda name, text, description: values.update({name: text}))
    monkeypatch.setattr(variables, "delete", lambda name: values.pop(name, None))
    return values


@pytest.fixture
def make_context(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """
    Return a function that makes a context.

    ``make_context(try_number=1, max_tries=0, state=None, **ti)``: contexts made with the same ``state`` dict are tries
    of one task instance. The XComs a task pushed are in ``context["ti"].pushed``.
    """
    if not AIRFLOW_V_3_3_PLUS:
        # These have no task state store, and the Variables used in its place need a database or a supervisor.
        monkeypatch.setattr(operator_state, "task_state", lambda context: context["task_state_store"])

    def make(
        try_number: int = 1, max_tries: int = 0, *, state: dict[str, str] | None = None, **ti: Any
    ) -> dict[str, Any]:
        return {
            "ti": FakeTaskInstance(try_number, max_tries, **ti),
            "task_state_store": FakeTaskStateStore({} if state is None else state),
        }

    return make


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are repeated at once."""
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0)
    monkeypatch.setattr(retry, "BACKOFF_JITTER", 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time at which a send window is looked at, to be set."""
    clock = SimpleNamespace(now=OPEN)
    monkeypatch.setattr(SendWindow, "now", staticmethod(lambda: clock.now))
    return clock


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to reach an Airflow that is away follow each other at once."""
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.02)

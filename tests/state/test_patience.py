"""An outage of Airflow is waited for, as long as it may take; anything else is raised at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from airflow_provider_campaigns.state.patience import LONGEST_WAIT, Patience, PatientStore, is_outage
from airflow_provider_campaigns.state.task_state import MemoryStore
from tests.versions import AIRFLOW_V_3_3_PLUS


class AnsweredError(Exception):
    """What Airflow 3 raises in a task."""

    def __init__(self, kind: str, detail: Any) -> None:
        self.error = SimpleNamespace(error=SimpleNamespace(name=kind), detail=detail)


DOWN = AnsweredError("API_SERVER_ERROR", {"status_code": None, "message": "Connection refused"})


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (DOWN, True),
        (AnsweredError("API_SERVER_ERROR", None), True),
        (AnsweredError("API_SERVER_ERROR", {"status_code": 500}), True),
        (AnsweredError("API_SERVER_ERROR", {"status_code": 503}), True),
        (AnsweredError("API_SERVER_ERROR", {"status_code": 404}), False),
        (AnsweredError("API_SERVER_ERROR", {"status_code": 409}), False),
        (AnsweredError("PERMISSION_DENIED", None), False),
        (AnsweredError("GENERIC_ERROR", {"status_code": 500}), False),
        (OperationalError("UPDATE", None, Exception("server closed the connection")), True),
        (InterfaceError("UPDATE", None, Exception("connection already closed")), True),
        (ProgrammingError("UPDATE", None, Exception("no such table")), False),
        (BrokenPipeError("the supervisor is gone"), False),
        (ValueError("no such value"), False),
    ],
)
def test_what_is_an_outage(error: Exception, outage: bool) -> None:
    assert is_outage(error) == outage


@pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="the oldest versions have no such reply")
@pytest.mark.parametrize(("status", "outage"), [(None, True), (502, True), (404, False)])
def test_what_airflow_raises_is_understood(status: int | None, outage: bool) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    reply = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status, "message": "no"})
    assert is_outage(AirflowRuntimeError(reply)) == outage


class Clock:
    """A clock, and an Airflow that cannot be reached until a time."""

    def __init__(self, back_at: float = 0.0, error: Exception = DOWN) -> None:
        self.now = 0.0
        self.back_at = back_at
        self.error = error
        self.attempts: list[float] = []
        self.held: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def do(self) -> str:
        self.attempts.append(self.now)
        if self.now < self.back_at:
            raise self.error
        return "stored"

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.held.append(self.now)
        yield
        self.held.append(self.now)

    def patience(self, seconds: float = 120) -> Patience:
        patience = Patience(seconds, clock=lambda: self.now, sleep=self.sleep)
        patience.waiting = self.waiting
        return patience


def test_without_an_outage_nothing_is_waited_for() -> None:
    clock = Clock()
    assert clock.patience().run(clock.do) == "stored"
    assert (clock.attempts, clock.held) == ([0.0], [])


def test_an_outage_is_waited_for_with_longer_and_longer_waits(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(back_at=100)

    assert clock.patience().run(clock.do) == "stored"

    waits = [after - before for before, after in zip(clock.attempts, clock.attempts[1:], strict=False)]
    assert 100 <= clock.now < 100 + LONGEST_WAIT
    assert waits[0] <= 1
    assert max(waits) <= LONGEST_WAIT + 1e-6
    assert len(waits) < 20
    assert clock.held == [0.0, clock.now], "no request is begun meanwhile"
    assert "Airflow cannot be reached (AnsweredError). Trying again for 120 seconds" in caplog.text


def test_what_cannot_be_reached_is_named(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(back_at=10)
    with caplog.at_level(logging.INFO):
        clock.patience().run(clock.do, what="The history database 'history'")
    assert [record.getMessage().split(" can")[0] for record in caplog.records] == ["The history database 'history'"] * 2


def test_it_ends_in_time_and_what_comes_afterwards_is_tried_once() -> None:
    clock = Clock(back_at=1_000)
    patience = clock.patience(30)

    with pytest.raises(AnsweredError):
        patience.run(clock.do)
    assert 30 <= clock.now <= 31
    attempts = len(clock.attempts)
    with pytest.raises(AnsweredError):
        patience.run(clock.do)
    assert len(clock.attempts) == attempts + 1

    clock.now = 1_000
    assert patience.run(clock.do) == "stored"
    clock.back_at = clock.now + 10
    assert patience.run(clock.do) == "stored", "the next outage is waited for again"


def test_without_patience_it_is_raised_at_once() -> None:
    clock = Clock(back_at=5)
    with pytest.raises(AnsweredError):
        clock.patience(0).run(clock.do)
    assert clock.attempts == [0.0]


@pytest.mark.parametrize("error", [ValueError("no"), AnsweredError("API_SERVER_ERROR", {"status_code": 404})])
def test_another_error_is_raised_at_once(error: Exception) -> None:
    clock = Clock(back_at=5, error=error)
    with pytest.raises(type(error)):
        clock.patience().run(clock.do)
    assert clock.attempts == [0.0]


def test_another_error_ends_the_waiting() -> None:
    clock = Clock(back_at=50)
    patience = clock.patience()

    def do() -> None:
        clock.do() if len(clock.attempts) < 3 else int("none")

    with pytest.raises(ValueError, match="none"):
        patience.run(do)
    assert len(clock.attempts) == 3


def test_a_task_that_is_to_end_tries_once_more_and_does_not_wait() -> None:
    clock = Clock(back_at=50)
    patience = clock.patience()
    patience.ended = lambda: clock.now >= 4

    with pytest.raises(AnsweredError):
        patience.run(clock.do)

    assert clock.now < 4.2
    assert clock.attempts[-1] == clock.now


def test_a_store_is_waited_for_in_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    memory = MemoryStore()
    store = PatientStore(memory, clock.patience())
    failing: dict[str, Any] = {"get": memory.get, "set": memory.set, "delete": memory.delete}

    def fails_first(name: str) -> Any:
        def do(*arguments: Any) -> Any:
            clock.do()
            return failing[name](*arguments)

        return do

    for name in failing:
        monkeypatch.setattr(memory, name, fails_first(name))
    acts: list[Callable[[], Any]] = [
        lambda: store.set("key", [1]),
        lambda: store.get("key"),
        lambda: store.delete("key"),
    ]
    for act in acts:
        clock.back_at = clock.now + 5
        act()
    assert store.get("key") is None
    assert len(clock.held) == 6

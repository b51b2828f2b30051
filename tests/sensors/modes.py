"""Runs a sensor to its end in each of its modes, as Airflow does, on a clock of the test's own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseSensorOperator, TaskDeferred

from airflow_provider_campaigns.protocol import polling
from airflow_provider_campaigns.sensors import wait
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.state import poll_state
from airflow_provider_campaigns.triggers import campaign
from tests.operators.conftest import FakeTaskInstance, FakeTaskStateStore
from tests.triggering import event_of

# Airflow's own sensors, wherever this version of it has them.
SENSORS = sys.modules[BaseSensorOperator.__module__]

MODES = ("poke", "reschedule", "deferrable")
INTERVAL = 60.0
LATE = 0.1


@dataclass
class Time:
    """
    A clock that stands still but for the pauses between polls.

    :param pauses: their seconds.
    :param meanwhile: what happens in each of them, in order.
    """

    now: float = field(default_factory=time.time)
    pauses: list[float] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.pauses.append(seconds)
            self.now += seconds
            if self.meanwhile:
                self.meanwhile.pop(0)()

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let all that waits between polls wait on this clock."""
        for module in (polling, poll_state, wait, campaign):
            monkeypatch.setattr(module, "time", self)
        monkeypatch.setattr(SENSORS, "time", SimpleNamespace(sleep=self.sleep, monotonic=self.time))
        monkeypatch.setattr(campaign, "asyncio", SimpleNamespace(sleep=self.asleep))


class SensorTaskInstance(FakeTaskInstance):
    """A task instance that Airflow reschedules."""

    def get_first_reschedule_date(self, _: Any) -> None:
        """Return nothing: ours do not rest on it."""


@dataclass
class Run:
    """
    Tries of one task instance in one mode.

    :param make: makes the sensor again, as Airflow does for every process.
    :param state: what the task instance stored.
    :param deferred: how often it was deferred.
    """

    make: Callable[..., CampaignSensor]
    mode: str
    clock: Time
    state: dict[str, str] = field(default_factory=dict)
    deferred: int = 0

    def sensor(self, **options: Any) -> CampaignSensor:
        mode = {"deferrable": True} if self.mode == "deferrable" else {"mode": self.mode}
        return self.make(**{"task_id": "wait", "poke_interval": INTERVAL, **mode, **options})

    def context(self, try_number: int = 1, max_tries: int = 0) -> Any:
        ti = SensorTaskInstance(try_number, max_tries, task_id="wait")
        return {"ti": ti, "task_state_store": FakeTaskStateStore(self.state)}

    def to_end(self, *, try_number: int = 1, max_tries: int = 0, **options: Any) -> Any:
        """
        Run one try to its end; return or raise what the task returns or raises.

        :param max_tries: of the task instance; more than the task's ``retries`` once it was cleared.
        """
        options = {"retries": max_tries, **options}
        while True:
            context = self.context(try_number, max_tries)
            try:
                return self.sensor(**options).execute(context)
            except SENSORS.AirflowRescheduleException as rescheduled:
                # Airflow never comes back too early; this clock is only behind by what the poll took.
                self.clock.sleep((rescheduled.reschedule_date - datetime.now(UTC)).total_seconds() + LATE)
            except TaskDeferred as deferral:
                self.deferred += 1
                event = event_of(deferral.trigger)
                resume = getattr(self.sensor(**options), deferral.method_name)
                return resume(context, event)

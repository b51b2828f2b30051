"""Waiting for the end of the campaign that was created, in the worker and in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    TaskDeferred,
)

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors import wait
from airflow_provider_campaigns.sensors.wait import CampaignFailed, CampaignWait
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger
from tests.operators.contexts import MakeContext, State
from tests.operators.exotel.campaigns import BUSY, FAILING, NUMBERS, campaigns, create, killed, posts
from tests.stored_dags import scheduled_dag
from tests.triggering import event_of, rebuilt

RESCHEDULED: Any = vars(wait)["AirflowRescheduleException"]


class TestWaiting:
    @pytest.fixture(autouse=True)
    def fast(self, sandbox: SandboxClient) -> Iterator[None]:
        """A campaign starts after a minute, and rings 60 numbers a minute."""
        sandbox.clock(speed=2000)
        yield
        sandbox.clock(speed=1)

    def test_it_returns_the_campaign_at_its_end(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(numbers=[*NUMBERS, BUSY], wait_for_completion=True, poke_interval=0.01)
        campaign = operator.execute(make_context())
        assert (campaign["status"], campaign["from"]) == ("Completed", 3)
        assert (campaign["stats"]["completed"], campaign["stats"]["failed"]) == (2, 1)
        assert campaign["report_url"]

    def test_a_campaign_that_failed_is_not_created_again(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        for number in (1, 2):
            operator = create(numbers=[FAILING], wait_for_completion=True, poke_interval=0.01)
            with pytest.raises(CampaignFailed, match="ended as Failed"):
                operator.execute(make_context(number, 1, state=state))
        assert posts(sandbox) == 1

    def test_a_campaign_that_takes_too_long(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(
            send_at="2099-01-01T00:00:00+00:00", wait_for_completion=True, poke_interval=0.01, timeout=0.02
        )
        with pytest.raises(AirflowSensorTimeout):
            operator.execute(make_context())

    def test_killed_it_pauses_the_campaign(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        sandbox.clock(speed=1)
        assert [self._status_after_kill(make_context, pauses) for pauses in (True, False)] == ["Paused", "Created"]

    def _status_after_kill(self, make_context: MakeContext, pauses: bool) -> str:
        operator = create(wait_for_completion=True, pause_on_kill=pauses)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CampaignWait, "poll", killed)
            with pytest.raises(KeyboardInterrupt):
                operator.execute(make_context(run_id=f"pauses {pauses}"))
        operator.on_kill()
        return str(operator.hook.get_campaign(str(operator._campaign_id))["status"])

    def test_killed_before_there_is_a_campaign_it_does_nothing(self, sandbox: SandboxClient) -> None:
        create(wait_for_completion=True, pause_on_kill=True).on_kill()
        assert sandbox.received()["requests"] == []

    def test_a_pause_that_is_refused_does_not_hide_why_the_task_ended(
        self, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        operator = create(wait_for_completion=True, pause_on_kill=True)
        operator._campaign_id = "unknown"
        operator.on_kill()
        assert sandbox.received()["requests"][0]["status"] == 404


class TestDeferring:
    def test_it_defers_and_returns_the_campaign_at_its_end(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        trigger = deferred.value.trigger
        assert type(trigger) is CampaignStatusTrigger
        sandbox.clock(advance=3600)
        resumed = create(wait_for_completion=True, deferrable=True)
        campaign = resumed.execute_complete(make_context(), event_of(trigger))
        assert (campaign["status"], campaign["from"]) == ("Completed", 2)

    def test_a_campaign_that_failed_is_not_created_again(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        operator = create(numbers=[FAILING], wait_for_completion=True, deferrable=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context(state=state))
        sandbox.clock(advance=3600)
        with pytest.raises(CampaignFailed):
            operator.execute_complete(make_context(state=state), event_of(deferred.value.trigger))
        with pytest.raises(CampaignFailed):
            create(numbers=[FAILING], wait_for_completion=True, deferrable=True).execute(
                make_context(2, 1, state=state)
            )
        assert posts(sandbox) == 1

    def test_one_that_is_over_at_the_first_poll_is_not_deferred(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        sandbox.clock(advance=3600)
        campaign = create(wait_for_completion=True, deferrable=True).execute(make_context(2, 1, state=state))
        assert campaign["status"] == "Completed"

    def test_what_airflow_could_not_store_comes_out_before_there_is_a_campaign(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        monkeypatch.setattr(operator, "arguments", lambda: {"campaign_id": {1}})
        with pytest.raises(InputError, match="arguments: expected what JSON knows"):
            operator.execute(make_context())
        assert posts(sandbox) == 0

    def test_killed_the_trigger_pauses_the_campaign(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(wait_for_completion=True, deferrable=True, pause_on_kill=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        trigger = rebuilt(deferred.value.trigger)
        assert isinstance(trigger, PausingCampaignTrigger)
        asyncio.run(trigger.on_kill())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Paused"]

    def test_a_pause_that_is_refused_ends_quietly(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(wait_for_completion=True, deferrable=True, pause_on_kill=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        sandbox.clock(advance=3600)
        asyncio.run(deferred.value.trigger.on_kill())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Completed"]


class TestInAirflow:
    """It is no sensor, but Airflow has to know that it frees its worker, as sensors do."""

    @pytest.mark.parametrize(("mode", "reschedule"), [("poke", False), ("reschedule", True)])
    def test_the_scheduler_waits_for_the_date_of_the_next_poll(self, mode: str, reschedule: bool) -> None:
        with DAG("campaigns", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            create(wait_for_completion=True, mode=mode)
        task = scheduled_dag(dag).get_task("call")
        assert "ReadyToRescheduleDep" in {type(dep).__name__ for dep in task.deps}
        assert task.reschedule == reschedule

    def test_in_mode_reschedule_it_frees_the_worker_between_two_polls(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        operator = create(wait_for_completion=True, mode="reschedule", poke_interval=timedelta(minutes=5))
        for _ in range(2):
            with pytest.raises(RESCHEDULED) as freed:
                operator.execute(make_context(state=state))
            pause = freed.value.reschedule_date - datetime.now(UTC)
            assert timedelta(minutes=4) < pause <= timedelta(minutes=5)
        sandbox.clock(advance=3600)
        assert operator.execute(make_context(state=state))["status"] == "Completed"
        assert posts(sandbox) == 1

    @pytest.mark.parametrize(("soft_fail", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
    def test_a_triggerer_that_does_not_come_to_an_end_in_time(
        self, soft_fail: bool, error: type[Exception], make_context: MakeContext
    ) -> None:
        operator = create(wait_for_completion=True, deferrable=True, soft_fail=soft_fail)
        with pytest.raises(error):
            operator.resume_execution("__fail__", {"error": "Trigger timeout"}, make_context())

    @pytest.mark.parametrize("soft_fail", [False, True])
    def test_a_trigger_that_breaks_fails_the_task(self, soft_fail: bool, make_context: MakeContext) -> None:
        operator = create(wait_for_completion=True, deferrable=True, soft_fail=soft_fail)
        with pytest.raises(AirflowException, match="Trigger failure"):
            operator.resume_execution("__fail__", {"error": "Trigger failure"}, make_context())

    @pytest.mark.parametrize(("soft_fail", "error"), [(False, AirflowTaskTimeout), (True, AirflowSkipException)])
    def test_its_execution_timeout(
        self,
        soft_fail: bool,
        error: type[BaseException],
        sandbox: SandboxClient,
        make_context: MakeContext,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def time_out(_: float) -> None:
            raise AirflowTaskTimeout("too long")

        monkeypatch.setattr(wait, "time", SimpleNamespace(sleep=time_out, time=time.time))
        operator = create(wait_for_completion=True, soft_fail=soft_fail)
        with pytest.raises(error):
            operator.execute(make_context())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mode": "sleep"}, "mode: expected poke or reschedule, got 'sleep'"),
            ({"poke_interval": "60"}, "poke_interval: expected a timedelta, or seconds from 0, got '60'"),
            ({"poke_interval": -1}, "poke_interval: expected"),
            ({"timeout": float("nan")}, "timeout: expected"),
            ({"timeout": True}, "timeout: expected"),
            ({"timeout": timedelta(seconds=-1)}, "timeout: expected"),
            ({"max_poll_failures": -1}, "max_poll_failures: expected a whole number from 0"),
        ],
    )
    def test_how_it_waits_is_checked_when_the_dag_is_parsed(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            create(**options)

    def test_its_timeout_is_the_sensors(self) -> None:
        assert create().timeout == timedelta(days=7).total_seconds()
        assert create(timeout=timedelta(hours=1)).timeout == 3600
        assert not isinstance(create(), BaseSensorOperator)

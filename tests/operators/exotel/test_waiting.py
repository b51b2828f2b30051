"""Waiting for the end of the campaign that was created, in the worker and in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.wait import CampaignFailed, CampaignWait
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger
from tests.operators.exotel.campaigns import (
    BUSY,
    FAILING,
    NUMBERS,
    MakeContext,
    State,
    campaigns,
    create,
    killed,
    posts,
)
from tests.triggering import event_of, rebuilt


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

    def test_one_that_is_over_at_the_first_look_is_not_deferred(
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

"""OzonetelCampaignSensor against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from tests.connections import calls, connect, keep_tokens_in_memory
from tests.triggering import event_of


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel", extra={"retry_limit": 0})


@pytest.fixture
def lead(sandbox: SandboxClient) -> None:
    """Give the campaign somebody to dial, which takes a second of the sandbox's clock."""
    body = {"campaignName": "Demo", "phoneNumber": "+447700900100", "userName": ozonetel.USER}
    OzonetelHook().call("POST", "/ca_apis/AddCampaignData", json=body)


def set_status(action: str) -> None:
    OzonetelHook().set_campaign_status("Demo", action)


def sensor(**options: Any) -> OzonetelCampaignSensor:
    return OzonetelCampaignSensor(task_id="wait", **{"campaign_name": "Demo", "poke_interval": 0.01, **options})


def deferred(**options: Any) -> Any:
    with pytest.raises(TaskDeferred) as caught:
        sensor(deferrable=True, **options).execute({})
    return caught.value.trigger


class TestLooking:
    def test_it_goes_on_until_the_campaign_is_completed(self, sandbox: SandboxClient, lead: None) -> None:
        assert not sensor().poke({}).is_done
        set_status("Start")
        assert not sensor().poke({}).is_done
        sandbox.clock(advance=3600)
        result = sensor().poke({})
        assert result.is_done
        assert result.xcom_value == {"campaign_id": "256", "position": "COMPLETED", "status": "COMPLETED"}

    def test_a_stopped_campaign_is_waited_for(self, lead: None) -> None:
        set_status("Start")
        set_status("Stop")
        assert not sensor().poke({}).is_done

    @pytest.mark.parametrize(("action", "target"), [(None, "READY"), ("Start", "running"), ("Stop", " Stopped ")])
    def test_another_status(self, action: str | None, target: str, lead: None) -> None:
        if action:
            set_status(action)
        assert sensor(target_status=target).poke({}).is_done

    def test_poking(self, sandbox: SandboxClient, lead: None) -> None:
        set_status("Start")
        sandbox.clock(speed=200)
        try:
            assert sensor().execute({})["status"] == "COMPLETED"
        finally:
            sandbox.clock(speed=1)

    def test_it_fails_when_time_is_up(self) -> None:
        with pytest.raises(AirflowSensorTimeout):
            sensor(timeout=0.02).execute({})


class TestFailing:
    def test_a_campaign_that_was_never_started(self) -> None:
        with pytest.raises(CampaignFailed, match=r"ended as READY .*the campaign was not started"):
            sensor(wait_for_start=False).poke({})

    def test_a_campaign_that_does_not_exist(self, sandbox: SandboxClient) -> None:
        with pytest.raises(CallRefusedError, match="campaign 'unknown': no record found"):
            sensor(campaign_name="unknown").poke({})


class TestDeferring:
    def test_a_campaign_that_is_there_at_the_first_look_is_not_deferred(self, sandbox: SandboxClient) -> None:
        assert sensor(target_status="READY", deferrable=True).execute({})["status"] == "READY"
        assert calls(sandbox, "ozonetel") == ["get_status"]

    def test_it_waits_in_the_triggerer(self, sandbox: SandboxClient, lead: None) -> None:
        trigger = deferred()
        set_status("Start")
        sandbox.clock(speed=200)
        event = event_of(trigger)
        sandbox.clock(speed=1)
        assert sensor().execute_complete({}, event) == {
            "campaign_id": "256",
            "position": "COMPLETED",
            "status": "COMPLETED",
        }

    def test_it_carries_names_only(self) -> None:
        _, arguments = deferred().serialize()
        assert arguments["arguments"] == {
            "campaign_name": "Demo",
            "target_status": "COMPLETED",
            "wait_for_start": True,
        }
        assert ozonetel.API_KEY not in str(arguments)

    def test_it_fails_or_is_skipped_when_time_is_up(self) -> None:
        event = event_of(deferred(timeout=0.02))
        with pytest.raises(AirflowSensorTimeout, match="the last status was 'READY'"):
            sensor().execute_complete({}, event)
        with pytest.raises(AirflowSkipException):
            sensor(soft_fail=True).execute_complete({}, event)

    def test_a_campaign_that_is_gone_meanwhile(self, sandbox: SandboxClient) -> None:
        trigger = deferred()
        trigger.arguments["campaign_name"] = "unknown"
        with pytest.raises(CampaignError, match="no record found"):
            sensor().execute_complete({}, event_of(trigger))


def test_its_fields_are_templates() -> None:
    operator = sensor(campaign_name="{{ name }}", target_status="{{ wanted }}", ozonetel_conn_id="{{ name }}_account")
    operator.render_template_fields({"name": "Demo", "wanted": "STOPPED"})
    assert operator.arguments() == {"campaign_name": "Demo", "target_status": "STOPPED", "wait_for_start": True}
    assert operator.hook.conn_id == "Demo_account"

"""OzonetelCampaignSensor against the sandbox: what is not in the shared table of behaviours."""

from __future__ import annotations

from typing import Any, cast

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from tests.connections import connect, keep_tokens_in_memory


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel")


@pytest.fixture
def lead(sandbox: SandboxClient) -> None:
    """Give the campaign somebody to dial, which takes a second of the sandbox's clock."""
    add_lead("+447700900100")


def add_lead(number: str) -> None:
    body = {"campaignName": "Demo", "phoneNumber": number, "userName": ozonetel.USER}
    OzonetelHook().call("POST", "/ca_apis/AddCampaignData", json=body)


def set_status(action: str) -> None:
    OzonetelHook().set_campaign_status("Demo", action)


def sensor(**options: Any) -> OzonetelCampaignSensor:
    return OzonetelCampaignSensor(task_id="wait", **{"campaign_name": "Demo", "poke_interval": 0.01, **options})


def test_it_waits_until_the_campaign_is_completed(sandbox: SandboxClient, lead: None) -> None:
    assert not sensor().poke({}).is_done
    set_status("Start")
    assert not sensor().poke({}).is_done
    sandbox.clock(advance=3600)
    result = sensor().poke({})
    assert result.is_done
    assert result.xcom_value == {"campaign_id": "256", "position": "COMPLETED", "status": "COMPLETED"}


def test_a_stopped_campaign_is_waited_for(lead: None) -> None:
    set_status("Start")
    set_status("Stop")
    assert not sensor().poke({}).is_done


def test_a_completed_campaign_that_gets_leads_is_over_until_it_is_started_again(
    sandbox: SandboxClient, lead: None
) -> None:
    set_status("Start")
    sandbox.clock(advance=3600)
    add_lead("+447700900101")
    assert sensor().poke({}).is_done
    set_status("Start")
    assert not sensor().poke({}).is_done


@pytest.mark.parametrize(("action", "target"), [(None, "READY"), ("Start", "running"), ("Stop", " Stopped ")])
def test_another_status(action: str | None, target: str, lead: None) -> None:
    if action:
        set_status(action)
    assert sensor(target_status=target).poke({}).is_done


def test_a_status_nobody_documented_may_be_waited_for(sandbox: SandboxClient, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.control("ozonetel", campaign="Demo", position="ARCHIVED")
    assert sensor(target_status="archived").poke({}).is_done
    assert "documents" not in caplog.text


def test_a_status_is_known_however_it_is_written(sandbox: SandboxClient, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.control("ozonetel", campaign="Demo", position="Running")
    assert not sensor().poke({}).is_done
    assert "documents" not in caplog.text


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_campaign_that_was_never_started_is_not_waited_for_unless_asked(*, deferrable: bool) -> None:
    with pytest.raises(CampaignFailed, match=r"ended as READY .*the campaign was not started"):
        sensor(wait_for_start=False, deferrable=deferrable).execute({})
    assert not sensor(wait_for_start=True).poke({}).is_done


def test_a_campaign_that_was_started_is_waited_for(lead: None) -> None:
    set_status("Start")
    assert not sensor(wait_for_start=False).poke({}).is_done


def test_a_campaign_that_does_not_exist_is_named() -> None:
    with pytest.raises(CallRefusedError, match="campaign 'unknown': no record found"):
        sensor(campaign_name="unknown").poke({})


def test_its_fields_are_templates() -> None:
    operator = sensor(campaign_name="{{ name }}", target_status="{{ wanted }}", ozonetel_conn_id="{{ name }}_account")
    operator.render_template_fields(cast("Any", {"name": "Demo", "wanted": "STOPPED"}))
    assert operator.arguments() == {"campaign_name": "Demo", "target_status": "STOPPED", "wait_for_start": True}
    assert operator.hook.conn_id == "Demo_account"

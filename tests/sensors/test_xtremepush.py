"""XtremepushCampaignSensor against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor
from tests.connections import calls, connect
from tests.sensors.watching import defer


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xtremepush")


def live(**changes: Any) -> XtremepushCampaignSensor:
    parameters = {"task_id": "wait", "campaign_id": 7345, "poke_interval": 0.02, **changes}
    return XtremepushCampaignSensor(**parameters)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_live_campaign_is_seen_with_the_first_look(sandbox: SandboxClient, deferrable: bool) -> None:
    assert live(deferrable=deferrable).execute({}) == {"status": "live", "active": 1}
    assert calls(sandbox, "xtremepush") == ["info"]


def test_poking_waits_until_it_is_live(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", campaign="7345", live_in=0.1)
    assert live().execute({})["status"] == "live"
    assert len(calls(sandbox, "xtremepush")) > 1


def test_the_trigger_waits_until_it_is_live(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", campaign="7345", live_in=0.1)
    sensor = live(deferrable=True)
    assert sensor.execute_complete({}, defer(sensor)) == {"status": "live", "active": 1}


def test_one_that_is_not_live_is_waited_for_until_the_timeout() -> None:
    with pytest.raises(AirflowSensorTimeout):
        live(campaign_id="draft-1", timeout=0).execute({})


def test_its_timeout_counts_in_the_trigger_too() -> None:
    sensor = live(campaign_id="draft-1", deferrable=True, timeout=0)
    event = defer(sensor)
    assert event == {"state": "timeout", "status": "not live", "details": {"active": 0}}
    with pytest.raises(AirflowSensorTimeout, match="the last status was 'not live'"):
        sensor.execute_complete({}, event)


def test_an_error_of_the_trigger_is_raised(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", campaign="7345", active=0)
    sandbox.fault("refuse", vendor="xtremepush", skip=1)
    sensor = live(deferrable=True)
    with pytest.raises(CampaignError, match="Invalid parameters"):
        sensor.execute_complete({}, defer(sensor))


@pytest.mark.parametrize("always_200", [False, True])
def test_an_unknown_campaign_fails_at_once(sandbox: SandboxClient, always_200: bool) -> None:
    sandbox.control("xtremepush", always_200=always_200)
    with pytest.raises(CallRefusedError, match="Campaign not found"):
        live(campaign_id="unknown-1", deferrable=True).execute({})
    assert calls(sandbox, "xtremepush") == ["info"]


def test_its_fields_are_templates() -> None:
    sensor = live(campaign_id="{{ campaign }}", xtremepush_conn_id="xtremepush_{{ country }}")
    sensor.render_template_fields({"campaign": "7345", "country": "ie"})
    assert sensor.arguments() == {"campaign_id": "7345"}
    assert sensor.hook.conn_id == "xtremepush_ie"

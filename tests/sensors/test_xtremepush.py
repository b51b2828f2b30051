"""XtremepushCampaignSensor against the sandbox: what is not in the shared table of behaviours."""

from __future__ import annotations

from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import CallRefusedError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor
from tests.connections import calls, connect


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xtremepush")


def live(**changes: Any) -> XtremepushCampaignSensor:
    parameters = {"task_id": "wait", "campaign_id": 7345, "poke_interval": 0.02, **changes}
    return XtremepushCampaignSensor(**parameters)


def test_one_that_is_not_live_is_waited_for_until_the_timeout() -> None:
    with pytest.raises(AirflowSensorTimeout, match="the last status was 'not live'"):
        live(campaign_id="draft-1", timeout=0).execute({})


@pytest.mark.parametrize("always_200", [False, True])
def test_an_unknown_campaign_fails_at_once(sandbox: SandboxClient, always_200: bool) -> None:
    sandbox.control("xtremepush", always_200=always_200)
    with pytest.raises(CallRefusedError, match="Campaign not found"):
        live(campaign_id="unknown-1", deferrable=True).execute({})
    assert calls(sandbox, "xtremepush") == ["info"]


def test_its_fields_are_templates() -> None:
    sensor = live(campaign_id="{{ campaign }}", xtremepush_conn_id="xtremepush_{{ country }}")
    sensor.render_template_fields(cast("Any", {"campaign": "7345", "country": "ie"}))
    assert sensor.arguments() == {"campaign_id": "7345"}
    assert sensor.hook.conn_id == "xtremepush_ie"

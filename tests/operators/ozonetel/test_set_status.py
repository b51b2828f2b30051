"""SetOzonetelCampaignStatusOperator against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.ozonetel import SetOzonetelCampaignStatusOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.operators.ozonetel.leads import position


def set_status(action: str) -> str:
    return SetOzonetelCampaignStatusOperator(task_id="set", campaign_name="Demo", action=action).execute({})


class TestSetStatus:
    @pytest.mark.parametrize("action", ["Start", "START", "start"])
    def test_start_and_stop(self, action: str, sandbox: SandboxClient) -> None:
        assert set_status(action) == "SUCCESSFULLY UPDATED, Demo was started"
        assert position() == "RUNNING"
        assert set_status("Stop") == "SUCCESSFULLY UPDATED, Demo was stopped"
        assert position() == "STOPPED"

    def test_another_action(self, sandbox: SandboxClient) -> None:
        with pytest.raises(InputError, match="action: expected Start or Stop, got pause"):
            set_status("pause")
        assert sandbox.received()["requests"] == []

    def test_its_fields_are_templates(self) -> None:
        operator: Any = SetOzonetelCampaignStatusOperator(
            task_id="set", campaign_name="{{ name }}", action="{{ action }}", ozonetel_conn_id="{{ name }}_account"
        )
        operator.render_template_fields({"name": "Demo", "action": "Start"})
        assert (operator.campaign_name, operator.action, operator.ozonetel_conn_id) == ("Demo", "Start", "Demo_account")

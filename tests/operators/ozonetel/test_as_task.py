"""AddCampaignLeadOperator as a task: its preview, its logs, its templates and its mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import contacted
from tests.operators.contexts import MakeContext
from tests.operators.ozonetel.leads import DND, PHONE, add, leads


class TestAsTask:
    @pytest.mark.parametrize(
        ("bulk", "path"), [(False, "POST /ca_apis/AddCampaignData"), (True, "POST /cloudAgentRestAPI/index.php/")]
    )
    def test_a_preview_shows_the_request_masked_and_sends_nothing(
        self,
        bulk: bool,
        path: str,
        sandbox: SandboxClient,
        make_context: MakeContext,
        logs: Callable[[], str],
    ) -> None:
        receipt = add(contacts=leads(2), bulk=bulk, preview=True).execute(make_context())
        assert (receipt["contacts"], receipt["unsent"], receipt["requests"]) == (2, 2, 0)
        assert sandbox.received()["requests"] == []
        shown = logs()
        assert path in shown
        assert '"campaignName": "Demo"' in shown
        for secret in ("+12015550100", ozonetel.API_KEY):
            assert secret not in shown

    def test_no_secret_and_no_number_is_logged(
        self, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
    ) -> None:
        sandbox.fault("drop", vendor="ozonetel", path="AddCampaignData")
        with pytest.raises(AirflowFailException):
            add(contacts=[*leads(1), {"phoneNumber": DND}], check_duplicate=False).execute(make_context())
        shown = logs()
        assert "Receipt" in shown
        for secret in ("12015550100", DND, ozonetel.API_KEY, "ozonetel-token-"):
            assert secret not in shown

    def test_its_fields_are_templates_and_contacts_are_shown_as_a_count(self) -> None:
        operator: Any = add(
            campaign_name="{{ name }}",
            action="{{ action }}",
            skill="{{ skill }}",
            priority="{{ 3 + 4 }}",
            agent_id="{{ agent }}",
            expiry_date="{{ day }}",
            contacts=[{"phoneNumber": "{{ phone }}"}],
            ozonetel_conn_id="ozonetel_{{ country }}",
        )
        operator.render_template_fields(
            {
                "name": "Spring",
                "action": "START",
                "skill": "Sales",
                "agent": "Bobby",
                "day": "2099-12-31",
                "phone": PHONE,
                "country": "in",
            }
        )
        assert (operator.campaign_name, operator.action, operator.skill) == ("Spring", "START", "Sales")
        assert (operator.priority, operator.agent_id, operator.expiry_date) == ("7", "Bobby", "2099-12-31")
        assert operator.contacts == [{"phoneNumber": PHONE}]
        assert str(operator.contacts) == "1 contacts"
        assert operator.hook.conn_id == "ozonetel_in"

    @pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
    def test_mapping(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        with DAG("campaigns", schedule=None):
            mapped = AddCampaignLeadOperator.partial(task_id="send", campaign_name="Demo").expand(
                contacts=[leads(1), leads(2)[1:]]
            )
        for index, contacts in enumerate([leads(1), leads(2)[1:]]):
            assert mapped.unmap({"contacts": contacts}).execute(make_context(map_index=index))["accepted"] == 1
        assert contacted(sandbox, "ozonetel") == ["+12015550100", "+12015550101"]

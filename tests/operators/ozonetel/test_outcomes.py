"""AddCampaignLeadOperator against the sandbox: how leads end, what ends the task, and what stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends, write_csv
from tests.operators.ozonetel.leads import DND, PHONE, add, leads

SENT_BEFORE = "in the campaign already: from the request whose reply was lost, or from before it"
REPEATED = "the contacts have it more than once"


class TestContacts:
    def test_each_row_ends_once_and_says_why(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        add(contacts=[{"phoneNumber": "+447700900104"}]).execute(make_context())
        rows = [
            {"phoneNumber": PHONE},
            {"phoneNumber": PHONE.removeprefix("+")},
            {"phoneNumber": "+44 7700 900102, +44 7700 900105"},
            {"phoneNumber": ""},
            {"phoneNumber": "+447700900103", "priority": "high"},
            {"phoneNumber": "+447700900104"},
            {"phoneNumber": DND},
            "not an object",
        ]
        context = make_context(task_id="again")
        receipt = add(contacts=rows).execute(context)
        digits = "phoneNumber: expected 3 to 16 digits as text, with or without a leading +, got"
        assert ends(context["ti"].pushed["outcomes"]) == [
            (PHONE, "accepted", None),
            ("447700900100", "duplicate", REPEATED),
            ("+44 7700 900102, +44 7700 900105", "invalid", f"{digits} +44***02, +44***05"),
            (None, "invalid", f"{digits} nothing"),
            ("+447700900103", "invalid", "priority: expected a whole number, 1 to 99, got high"),
            ("+447700900104", "duplicate", None),
            (DND, "rejected", "refused by the vendor"),
            (None, "invalid", "expected an object, got str"),
        ]
        assert context["ti"].pushed["outcomes"][5]["message"] == "Number Already Exist"
        assert context["ti"].pushed["outcomes"][6]["message"] == "PhoneNumber Added is a DND Number"
        assert (receipt["contacts"], receipt["requests"]) == (8, 3)
        assert contacted(sandbox, "ozonetel") == ["+447700900104", PHONE, "+447700900104", DND]

    @pytest.mark.parametrize(
        ("campaign", "message"), [("Agentwise", "Agent Is Empty!"), ("Skillwise", "Please provide valid skill")]
    )
    def test_a_lead_that_lacks_what_its_campaign_wants_is_rejected(
        self, campaign: str, message: str, make_context: MakeContext
    ) -> None:
        rows = [{"phoneNumber": PHONE}, {"phoneNumber": "+447700900101", "agentId": "Bobby", "skill": "Sales"}]
        context = make_context()
        receipt = add(campaign_name=campaign, contacts=rows).execute(context)
        assert (receipt["rejected"], receipt["accepted"]) == (1, 1)
        assert context["ti"].pushed["outcomes"][0]["message"] == message

    def test_all_rejected_fails_for_good(self, make_context: MakeContext) -> None:
        with pytest.raises(AirflowFailException, match=r"ozonetel rejected all 1 contacts; .* is a DND Number"):
            add(contacts=[{"phoneNumber": DND}]).execute(make_context())

    def test_opt_outs_are_not_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        receipt = add(contacts=leads(3), exclude=[{"phoneNumber": "12015550101"}]).execute(make_context())
        assert (receipt["accepted"], receipt["invalid"]) == (2, 1)
        assert "+12015550101" not in contacted(sandbox, "ozonetel")

    def test_only_recipients_of_the_connection_are_contacted(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, sandbox, "ozonetel", extra={"only_recipients": "+12015550101"})
        assert add(contacts=leads(3)).execute(make_context())["invalid"] == 2
        assert contacted(sandbox, "ozonetel") == ["+12015550101"]


class TestRefusals:
    def test_a_missing_column_ends_it_before_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "leads.csv", [{"mobile": PHONE}])
        with pytest.raises(InputError, match="a column 'phoneNumber', got columns 'mobile'"):
            add(contacts=contacts).execute(make_context())
        assert sandbox.received()["requests"] == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"action": "STRAT"}, "action: expected START, STOP or None"),
            ({"priority": 100}, "priority: expected a whole number, 1 to 99"),
            ({"expiry_date": "31/12/2099"}, "expiry_date: expected YYYY-MM-DD"),
            ({"campaign_name": ""}, "campaign_name: expected the name of an outbound campaign"),
        ],
    )
    def test_a_wrong_parameter_ends_it_before_the_first_request(
        self, options: dict[str, Any], message: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        with pytest.raises(InputError, match=message):
            add(**options).execute(make_context())
        assert sandbox.received()["requests"] == []

    @pytest.mark.parametrize(
        ("campaign", "message"),
        [
            ("unknown", "No User Found or Campaign Name is Invalid"),
            ("Inbound", "The selected campaign is not outbound"),
        ],
    )
    def test_a_campaign_that_takes_no_leads_ends_it_with_the_first_request(
        self, campaign: str, message: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        with pytest.raises(CallRefusedError, match=message):
            add(campaign_name=campaign, contacts=leads(4), max_concurrency=1).execute(context)
        assert calls(sandbox, "ozonetel") == ["add_lead"]
        assert contacted(sandbox, "ozonetel") == []
        assert context["ti"].pushed["receipt"]["unsent"] == 4

    def test_another_mode_than_the_accounts_is_explained(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, sandbox, "ozonetel", extra={"auth_mode": "basic"})
        context = make_context()
        with pytest.raises(CallRefusedError, match="another one than the connection's extra auth_mode"):
            add(contacts=leads(2), max_concurrency=1).execute(context)
        assert context["ti"].pushed["receipt"]["unsent"] == 2
        assert contacted(sandbox, "ozonetel") == []

    def test_a_token_that_ends_on_the_way_is_replaced(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        sandbox.fault("unauthorized", vendor="ozonetel", path="AddCampaignData", skip=1)
        receipt = add(contacts=leads(4)).execute(make_context())
        assert (receipt["accepted"], receipt["unknown"]) == (4, 0)
        names = [request["call"] for request in sandbox.received("ozonetel")["requests"]]
        assert names.count("token") == 2
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(4)]

    def test_a_token_that_has_ended_is_replaced(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator: Any = add()
        operator.execute(make_context())
        sandbox.clock(advance=3601)
        operator.contacts = [{"phoneNumber": PHONE}]
        assert operator.execute(make_context(run_id="later"))["accepted"] == 1
        assert [request["call"] for request in sandbox.received("ozonetel")["requests"]].count("token") == 2


class TestUnknown:
    def test_a_lost_reply_under_the_duplicate_check(
        self, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        sandbox.fault("drop", vendor="ozonetel", path="AddCampaignData", skip=1)
        context = make_context()
        receipt = add(contacts=leads(3), max_concurrency=1).execute(context)
        assert (receipt["accepted"], receipt["duplicate"]) == (2, 1)
        assert [line["reason"] for line in context["ti"].pushed["outcomes"]] == [None, SENT_BEFORE, None]
        assert sandbox.received("ozonetel")["counts"]["ozonetel"]["accepted"] == 3

    @pytest.mark.parametrize("fault", ["drop", "cut", "500-after", "reset"])
    def test_a_number_that_was_there_before_is_a_duplicate_also_after_a_lost_reply(
        self, fault: str, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        add(contacts=leads(1)).execute(make_context(task_id="before"))
        sandbox.fault(fault, vendor="ozonetel", path="AddCampaignData")
        receipt = add(contacts=leads(2), max_concurrency=1).execute(make_context())
        assert (receipt["accepted"], receipt["duplicate"], receipt["unknown"]) == (1, 1, 0)
        assert sandbox.counts("ozonetel")["accepted"] == 2

    def test_a_lost_reply_without_it_leaves_the_lead_unknown_and_nobody_is_added_twice(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.fault("drop", vendor="ozonetel", path="AddCampaignData")
        state: dict[str, str] = {}
        for number in (1, 2):
            context = make_context(number, 1, state=state)
            with pytest.raises(AirflowFailException, match="1 contacts may have been sent"):
                add(contacts=leads(3), check_duplicate=False, retries=1).execute(context)
            receipt = context["ti"].pushed["receipt"]
            assert (receipt["accepted"], receipt["unknown"], receipt["requests"]) == (2, 1, 3)
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(3)]

    def test_a_retry_after_success_sends_nothing(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: dict[str, str] = {}
        first = add(contacts=leads(3)).execute(make_context(state=state))
        assert add(contacts=leads(3), retries=1).execute(make_context(2, 1, state=state)) == first
        assert len(calls(sandbox, "ozonetel")) == 3

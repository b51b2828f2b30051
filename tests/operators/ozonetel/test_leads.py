"""AddCampaignLeadOperator and SetOzonetelCampaignStatusOperator against the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator, SetOzonetelCampaignStatusOperator
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted, keep_no_pace, keep_tokens_in_memory
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends, outcomes_of, write_csv

PHONE = "+447700900100"
DND = "+447700900996"
SENT_BEFORE = "in the campaign already: from the request whose reply was lost, or from before it"
REPEATED = "the contacts have it more than once"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel")


@pytest.fixture(scope="module")
def unlimited_server() -> Iterator[SandboxServer]:
    with SandboxServer(limits=False) as server:
        yield server


@pytest.fixture
def unlimited(unlimited_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """A sandbox without the limit of 100 requests a minute, in place of the one with it."""
    client = SandboxClient(unlimited_server.url)
    client.reset()
    connect(monkeypatch, client, "ozonetel")
    return client


def add(**changes: Any) -> AddCampaignLeadOperator:
    parameters: dict[str, Any] = {"task_id": "send", "campaign_name": "Demo", "contacts": leads(1), **changes}
    return AddCampaignLeadOperator(**parameters)


def leads(number: int) -> list[dict[str, str]]:
    """Return leads with numbers reserved for fiction: 100 of each area code."""
    return [
        {"phoneNumber": f"+1{201 + index // 100}55501{index % 100:02}", "Name": f"José {index}"}
        for index in range(number)
    ]


def set_status(action: str) -> str:
    return SetOzonetelCampaignStatusOperator(task_id="set", campaign_name="Demo", action=action).execute({})


def position(name: str = "Demo") -> str:
    return str(add().hook.campaign_status(name)["Position"])


class TestSingle:
    def test_a_lead(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        context = make_context()
        receipt = add(
            contacts=[{"phoneNumber": PHONE, "Name": "José", "City": "Málaga"}],
            skill="Sales",
            priority="7",
            agent_id="Bobby",
            expiry_date=date(2099, 12, 31),
        ).execute(context)
        assert receipt == {
            "vendor": "ozonetel",
            "campaign": "Demo",
            "contacts": 1,
            "accepted": 1,
            "duplicate": 0,
            "rejected": 0,
            "invalid": 0,
            "capped": 0,
            "unsent": 0,
            "unknown": 0,
            "requests": 1,
            "normalised": 0,
            "outcomes_path": None,
            "outcomes_xcom": receipt["outcomes_xcom"],
        }
        assert sandbox.received("ozonetel")["contacts"][0]["fields"] == {
            "phoneNumber": PHONE,
            "Name": "José",
            "City": "Málaga",
            "skill": "Sales",
            "priority": "7",
            "agentId": "Bobby",
            "expiryDate": "2099-12-31",
            "checkDuplicate": "TRUE",
        }
        (outcome,) = context["ti"].pushed["outcomes"]
        assert (outcome["row"], outcome["key"], outcome["status"]) == (1, PHONE, "accepted")
        assert "SuccessFully Updated" in outcome["message"]

    def test_a_thousand_leads_are_a_thousand_requests(
        self, unlimited: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "leads.csv", leads(1000))
        receipt = add(contacts=contacts, outcomes_path=str(tmp_path / "outcomes")).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 1000)
        assert receipt["outcomes_path"] == str(tmp_path / "outcomes" / "campaigns" / "manual__2026-03-01" / "send")
        assert sorted(contacted(unlimited, "ozonetel")) == [lead["phoneNumber"] for lead in leads(1000)]
        assert [line["key"] for line in outcomes_of(receipt)] == [lead["phoneNumber"] for lead in leads(1000)]

    def test_columns_choose_what_is_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        row = {"mobile": PHONE, "salary": "secret"}
        add(contacts=[row], columns={"phoneNumber": "mobile"}).execute(make_context())
        assert sandbox.received("ozonetel")["contacts"][0]["fields"] == {
            "phoneNumber": PHONE,
            "checkDuplicate": "TRUE",
        }

    @pytest.mark.parametrize(("action", "after"), [(None, "READY"), ("START", "RUNNING"), ("stop", "STOPPED")])
    def test_only_an_action_starts_or_stops_the_campaign(
        self, action: str | None, after: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        assert add(action=action).execute(make_context())["accepted"] == 1
        assert position() == after

    def test_a_column_cannot_start_it(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        context = make_context()
        rows = [{"phoneNumber": PHONE}, {"phoneNumber": "+447700900101", "action": "START"}]
        assert add(contacts=rows).execute(context)["invalid"] == 1
        assert "action: expected no such column" in context["ti"].pushed["outcomes"][1]["reason"]
        assert position() == "READY"


class TestBulk:
    def test_a_thousand_leads_are_two_requests(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "leads.csv", leads(1000))
        receipt = add(contacts=contacts, bulk=True, outcomes_path=str(tmp_path)).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 2)
        assert calls(sandbox, "ozonetel") == ["add_bulk", "add_bulk"]
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(1000)]
        assert {line["reason"] for line in outcomes_of(receipt)} == {"queued by the vendor, which adds the leads later"}

    def test_a_lost_reply_under_the_duplicate_check(
        self, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        sandbox.fault("drop", vendor="ozonetel", path="addBulkData")
        receipt = add(contacts=leads(3), bulk=True).execute(make_context())
        assert (receipt["accepted"], receipt["unknown"]) == (3, 0)
        assert sandbox.received("ozonetel")["counts"]["ozonetel"]["accepted"] == 3

    @pytest.mark.parametrize("words", ["no user found", "Authentication failed", "Please provide valid data"])
    def test_a_refusal_of_the_call_leaves_the_rest_unsent_and_a_retry_delivers(
        self, words: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        refusal = {"status": "failure", "message": words}
        sandbox.fault("reply", vendor="ozonetel", path="addBulkData", body=refusal)
        state: dict[str, str] = {}
        context = make_context(state=state)
        with pytest.raises(CallRefusedError, match=words):
            add(contacts=leads(10), bulk=True, batch_size=2, retries=1).execute(context)
        assert calls(sandbox, "ozonetel") == ["add_bulk"]
        assert (context["ti"].pushed["receipt"]["unsent"], contacted(sandbox, "ozonetel")) == (10, [])
        receipt = add(contacts=leads(10), bulk=True, batch_size=2, retries=1).execute(make_context(2, 1, state=state))
        assert (receipt["accepted"], receipt["unsent"]) == (10, 0)
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(10)]

    def test_what_the_bulk_call_would_refuse_is_invalid(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        add(contacts=[{"phoneNumber": PHONE, "Name": "Jo & Co"}, *leads(1)], bulk=True).execute(context)
        assert [line["status"] for line in context["ti"].pushed["outcomes"]] == ["invalid", "accepted"]
        assert contacted(sandbox, "ozonetel") == ["+12015550100"]


class TestPace:
    @pytest.mark.parametrize(
        ("bulk", "paces"),
        [(False, (None, 100)), (True, (None, 5)), (False, (50, 50)), (True, (2.5, 2.5)), (True, (60, 60))],
    )
    def test_it_is_the_vendors_for_each_call_unless_the_connection_names_one(
        self,
        sandbox: SandboxClient,
        make_context: MakeContext,
        monkeypatch: pytest.MonkeyPatch,
        bulk: bool,
        paces: tuple[float | None, float],
    ) -> None:
        of_the_connection, expected = paces
        connect(monkeypatch, sandbox, "ozonetel", extra={"requests_per_minute": of_the_connection})
        kept = keep_no_pace(monkeypatch)
        assert add(contacts=leads(2), bulk=bulk).execute(make_context())["accepted"] == 2
        assert kept == [expected]

    @pytest.mark.slow
    def test_leads_leave_evenly_from_the_first(
        self, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with SandboxServer(speed=60) as server:
            account = SandboxClient(server.url)
            connect(monkeypatch, account, "ozonetel", extra={"requests_per_minute": 60 * 90})
            began = account.clock()
            receipt = add(contacts=leads(46)).execute(make_context())
            minutes = (account.clock() - began) / 60
        assert receipt["accepted"] == 46
        assert minutes > 45 / 90


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

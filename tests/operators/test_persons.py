"""A person is not a spelling: what the operators send, and whom they leave out, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, LedgerError
from airflow_provider_campaigns.identity import LOST_DIGITS
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator, UpdateCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator, UpdateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator, SetOzonetelCampaignStatusOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, contacted, keep_tokens_in_memory
from tests.operators.contexts import MakeContext

VENDORS = ("collect", "exotel", "ozonetel", "xebo", "xtremepush")


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    for vendor in VENDORS:
        connect(monkeypatch, sandbox, vendor)


def add(**parameters: Any) -> AddCampaignLeadOperator:
    return AddCampaignLeadOperator(**{"task_id": "send", "campaign_name": "Demo", **parameters})


def survey(**parameters: Any) -> TriggerSurveyOperator:
    given = {"task_id": "send", "collector_id": "5d3eb6dcec4bd2000da8d6f7", "collector_token": "t", **parameters}
    return TriggerSurveyOperator(**given)


def request(**parameters: Any) -> SendCollectRequestOperator:
    return SendCollectRequestOperator(**{"task_id": "send", "campaign_id": "xvr69EYLKXvTkfYuk", **parameters})


def push(**parameters: Any) -> ExecuteXtremepushCampaignOperator:
    return ExecuteXtremepushCampaignOperator(**{"task_id": "send", "campaign_id": 1, **parameters})


@pytest.mark.parametrize("bulk", [False, True])
def test_one_person_in_india_is_one_lead(bulk: bool, sandbox: SandboxClient, make_context: MakeContext) -> None:
    numbers = ["+919000000001", "919000000001", "00919000000001", "09000000001", "9000000001"]
    contacts = [{"phoneNumber": number} for number in numbers]

    receipt = add(contacts=contacts, region="in", bulk=bulk).execute(make_context())

    assert (receipt["accepted"], receipt["duplicate"], receipt["normalised"]) == (1, 4, 0)
    assert contacted(sandbox, "ozonetel") == ["+919000000001"]


@pytest.mark.parametrize("region", ["US", "IN"])
def test_one_person_of_another_country_than_the_region_is_one_lead(
    sandbox: SandboxClient, make_context: MakeContext, region: str
) -> None:
    numbers = ["+447700900211", "447700900211", "00447700900211", "447700900212"]
    contacts = [{"phoneNumber": number} for number in numbers]

    receipt = add(contacts=contacts, exclude=["+447700900212"], region=region).execute(make_context())

    assert (receipt["accepted"], receipt["duplicate"], receipt["invalid"]) == (1, 2, 1)
    assert contacted(sandbox, "ozonetel") == ["+447700900211"]


def test_the_region_of_the_connection_counts_unless_the_operator_has_one(
    sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, "ozonetel", extra={"region": "IN"})
    contacts = [{"phoneNumber": "+919000000001"}, {"phoneNumber": "09000000001"}]

    assert add(contacts=contacts, preview=True).execute(make_context())["duplicate"] == 1
    assert add(contacts=contacts, preview=True, region="GB").execute(make_context())["duplicate"] == 0


@pytest.mark.parametrize(
    ("first", "then", "refused"),
    [("IN", "IN", False), ("IN", None, True), ("IN", "GB", True), (None, "IN", False)],
)
def test_a_region_that_changes_between_two_tries_makes_no_two_people_of_one(
    *, sandbox: SandboxClient, make_context: MakeContext, first: str | None, then: str | None, refused: bool
) -> None:
    state: dict[str, str] = {}
    contacts = [{"phoneNumber": "+919000000001"}, {"phoneNumber": "09000000001"}]
    add(contacts=contacts[:1], region=first).execute(make_context(state=state))
    later = add(contacts=contacts, region=then)

    if refused:
        with pytest.raises(LedgerError, match=r"^region: an earlier try of this task used 'IN', this one "):
            later.execute(make_context(2, 1, state=state))
    else:
        assert later.execute(make_context(2, 1, state=state))["duplicate"] == 1

    assert contacted(sandbox, "ozonetel") == ["+919000000001"]


WRITTEN = """phoneNumber,Name
 +1 555-010-0001 ,A
+1 (555) 010 0002,B
'+15550100003,C
+1\u00a05550100004,D
15550100005.0,E
1.55501E+10,F
+15550100007,G
"""


def test_numbers_leave_as_they_are_but_for_what_a_spreadsheet_put_there(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(WRITTEN)
    context = make_context()

    receipt = add(contacts=str(path), region="US").execute(context)

    sent = ["+15550100001", "+15550100002", "+15550100003", "+15550100004", "15550100005", "+15550100007"]
    # Several requests are in flight, and arrive in any order.
    assert sorted(contacted(sandbox, "ozonetel")) == sorted(sent)
    assert (receipt["accepted"], receipt["invalid"], receipt["normalised"]) == (6, 1, 5)
    outcomes = context["ti"].pushed["outcomes"]
    assert [line["key"] for line in outcomes if line["status"] == "accepted"] == sent
    assert [(line["key"], line["reason"]) for line in outcomes if line["status"] == "invalid"] == [
        ("1.55501E+10", f"phoneNumber: expected {LOST_DIGITS}, got 1.***01E+10")
    ]


def test_two_ids_with_one_number_are_one_message(sandbox: SandboxClient, make_context: MakeContext) -> None:
    contacts = [{"extUniqueId": "a", "mobile": "+15550100001"}, {"extUniqueId": "b", "mobile": "+1 555 010 0001"}]
    context = make_context()

    receipt = survey(contacts=contacts, medium="sms").execute(context)

    assert (receipt["accepted"], receipt["duplicate"]) == (1, 1)
    assert context["ti"].pushed["outcomes"][1]["reason"] == "an earlier row has the same phone number or e-mail address"


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (
            add,
            {"contacts": [{"phoneNumber": "+919000000001"}], "exclude": ["09000000001"]},
            "exclude: expected phone numbers with .* or region .* row 1",
        ),
        (
            survey,
            {
                "medium": "sms",
                "contacts": [{"mobile": "+15550100001", "email": "a@example.com"}],
                "exclude": [{"email": "a@example.com", "mobile": ""}],
            },
            "exclude: expected something in 'mobile', got row 1",
        ),
        (
            add,
            {"contacts": [{"phoneNumber": "+15550100001", "PhoneNumber": "+15550100002"}], "bulk": True},
            "columns: expected one column for 'phoneNumber'",
        ),
        (add, {"contacts": [{"phoneNumber": "+15550100001"}], "region": "India"}, "region: expected a country"),
    ],
)
def test_what_is_not_certain_is_an_error_before_the_first_request(
    make: Callable[..., Any],
    parameters: dict[str, Any],
    message: str,
    sandbox: SandboxClient,
    make_context: MakeContext,
) -> None:
    with pytest.raises(InputError, match=message):
        make(**parameters).execute(make_context())

    assert sandbox.received()["requests"] == []


def test_an_opted_out_employee_does_not_cost_the_customers(sandbox: SandboxClient, make_context: MakeContext) -> None:
    contacts = [{"email": "a@example.com", "owner_email": "boss@example.com"}]

    assert request(contacts=contacts, exclude=["boss@example.com"]).execute(make_context())["accepted"] == 1


def restrict(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    for vendor in VENDORS:
        connect(monkeypatch, sandbox, vendor, extra={"only_recipients": "*@example.com, +1555010*"})


def test_a_real_customer_with_the_address_of_a_developer_is_not_contacted(
    sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    restrict(monkeypatch, sandbox)
    contacts = [{"user_id": "real-customer-1", "email": "dev@example.com"}]

    receipt = push(contacts=contacts).execute(make_context())

    assert (receipt["invalid"], receipt["requests"]) == (1, 0)
    assert contacted(sandbox, "xtremepush") == []


@pytest.mark.parametrize(
    "operator",
    [
        add(contacts=[{"phoneNumber": "+15550100001"}], action="start"),
        SetOzonetelCampaignStatusOperator(task_id="set", campaign_name="Demo", action="Start"),
        UpdateCollectRequestOperator(task_id="update", request_id="r1", status="completed"),
        UpdateExotelCampaignOperator(task_id="resume", campaign_id="c1", action="resume"),
        CreateExotelCampaignOperator(
            task_id="lists", name="Spring", caller_id="02025550100", read_via_text="Hello.", lists=["l1"]
        ),
        CreateExotelCampaignOperator(
            task_id="numbers",
            name="Spring",
            caller_id="02025550100",
            read_via_text="Hello.",
            numbers=["+15550100001", "+447700900100"],
        ),
    ],
    ids=lambda operator: operator.task_id,
)
def test_nobody_else_is_contacted_through_a_connection_with_only_recipients(
    operator: Any, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    restrict(monkeypatch, sandbox)

    with pytest.raises(InputError, match=r"only_recipients of (the )?connection"):
        operator.execute(make_context())

    assert sandbox.received()["requests"] == []
    operator.__dict__.pop("hook", None)

"""Adding a lead in the sandbox's Ozonetel: every row of the table "Possible responses", and what is written down."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.sandbox.ozonetel_account import ADD, HOUR, KEY, MINUTE, PHONE, Account, says


@pytest.fixture
def account(sandbox: SandboxClient) -> Account:
    return Account(sandbox)


# -- Possible responses: rows that need nothing but the request

ADDED = "Please pass the valid Campaign action SuccessFully Updated Demo Campaign Data"
UPDATED = "SuccessFully Updated Demo Campaign"
BAD_PHONE = "phone number should be numeric and must be between 3 to 16 digits and allows prefix +"
BAD_PRIORITY = "The priority value must be numeric and range from 0 to 99."
BAD_DATE = "Invalid date format. Please enter date in format yyyy-MM-dd"
NO_USER = "Username Should Not be Null or Empty."

ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("campaign name key missing", {"campaignName": None}, "Error", "Please provide campaign details"),
    ("campaign name value missing", {"campaignName": ""}, "Error", "Please provide campaign details"),
    ("campaign name invalid", {"campaignName": "unknown"}, "FAIL", "No User Found or Campaign Name is Invalid"),
    ("phone number key missing", {"phoneNumber": None}, "error", BAD_PHONE),
    ("phone number empty", {"phoneNumber": ""}, "error", BAD_PHONE),
    ("phone number not numeric", {"phoneNumber": "ada"}, "error", BAD_PHONE),
    ("phone number too short", {"phoneNumber": "12"}, "error", BAD_PHONE),
    ("phone number too long", {"phoneNumber": "1" * 17}, "error", BAD_PHONE),
    ("phone number with prefix", {"phoneNumber": "+123"}, "Success", ADDED),
    ("action key invalid", {"Action": "START"}, "Success", UPDATED),
    ("action stop", {"action": "stop"}, "Success", "SuccessFully Updated Demo Campaign Stoped"),
    ("action start", {"action": "start"}, "SUCCESS", "SuccessFully Updated, Demo was started"),
    ("action START", {"action": "START"}, "SUCCESS", "SuccessFully Updated, Demo was started"),
    ("action blank", {"action": ""}, "Success", ADDED),
    ("action missing", {}, "Success", ADDED),
    ("action invalid", {"action": "run"}, "Success", ADDED),
    ("username key missing", {"userName": None}, "false", NO_USER),
    ("username empty", {"userName": ""}, "false", NO_USER),
    ("username invalid", {"userName": "somebody"}, "false", "Invalid User Details"),
    ("priority valid", {"priority": "5"}, "Success", UPDATED),
    ("priority invalid", {"priority": "high"}, "Success", UPDATED),
    ("priority value missing", {"priority": ""}, "Error", BAD_PRIORITY),
    ("expiryDate empty", {"expiryDate": ""}, "Success", UPDATED),
    ("expiryDate valid", {"expiryDate": "2030-01-31"}, "Success", UPDATED),
    ("expiryDate of the newer pages", {"expiryDate": "2030-01-31 10:00:00"}, "Success", UPDATED),
    ("expiryDate of another format", {"expiryDate": "31/01/2030"}, "Error", BAD_DATE),
    ("expiryDate that is no day", {"expiryDate": "2030-02-31"}, "Error", BAD_DATE),
    ("agentwise, agentId missing", {"campaignName": "Agentwise"}, "FAIL", "Agent Is Empty!"),
    ("agentwise, agentId empty", {"campaignName": "Agentwise", "agentId": ""}, "FAIL", "Agent Is Empty!"),
    (
        "agentwise, agentId invalid",
        {"campaignName": "Agentwise", "agentId": "unknown"},
        "FAIL",
        "Agent is not correctly mapped!",
    ),
    ("agentwise, agentId valid", {"campaignName": "Agentwise", "agentId": "7"}, "SUCCESS", "SuccessFully Updated"),
    ("skillwise, skill missing", {"campaignName": "Skillwise"}, "FAIL", "Please provide valid skill"),
    ("skillwise, skill empty", {"campaignName": "Skillwise", "skill": ""}, "FAIL", "Please provide valid skill"),
    (
        "skillwise, skill invalid",
        {"campaignName": "Skillwise", "skill": "unknown"},
        "FAIL",
        "Please provide valid skill",
    ),
    ("skillwise, skill valid", {"campaignName": "Skillwise", "skill": "s"}, "SUCCESS", "SuccessFully Updated"),
    ("mapped columns", {"Address": "x"}, "SUCCESS", "SuccessFully Updated"),
    ("inbound campaign", {"campaignName": "Inbound"}, "Fail", "The selected campaign is not outbound"),
    ("do not disturb", {"phoneNumber": "+447700900996"}, "FAIL", "PhoneNumber Added is a DND Number"),
]


@pytest.mark.parametrize(("body", "status", "message"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_row_of_the_table(account: Account, body: dict[str, Any], status: str, message: str) -> None:
    assert account.add(**body) == says(status, message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Campaign Demo Is Already Started"),
        ({"checkDuplicate": "FALSE"}, "Campaign Demo Is Already Started"),
        ({"action": "START"}, "Campaign Demo Is Already Started"),
        ({"action": "stop"}, "SuccessFully Updated Demo Campaign Stoped"),
    ],
)
def test_a_row_about_a_running_campaign(account: Account, fields: dict[str, Any], message: str) -> None:
    account.add(phoneNumber="+447700900002", action="START")
    assert account.add(**fields) == says("Success", message)


@pytest.mark.parametrize(
    ("fields", "answer", "outcome"),
    [
        ({"checkDuplicate": "TRUE"}, says("SUCCESS", "Number Already Exist"), "duplicate"),
        ({"checkDuplicate": True, "Name": "another"}, says("SUCCESS", "Number Already Exist"), "duplicate"),
        (
            {"checkDuplicate": "FALSE", "action": "START"},
            says("SUCCESS", "SuccessFully Updated, Demo was started"),
            "accepted",
        ),
        (
            {"checkDuplicate": "", "action": "START"},
            says("SUCCESS", "SuccessFully Updated, Demo was started"),
            "accepted",
        ),
        (
            {"checkDuplicate": "?", "action": "START"},
            says("SUCCESS", "SuccessFully Updated, Demo was started"),
            "accepted",
        ),
        ({"action": "START"}, says("SUCCESS", "SuccessFully Updated, Demo was started"), "accepted"),
    ],
)
def test_a_row_about_a_number_that_exists(
    account: Account, fields: dict[str, Any], answer: dict[str, Any], outcome: str
) -> None:
    account.add(Name="one")
    assert account.add(**fields) == answer
    assert account.outcomes() == [(PHONE, "accepted"), (PHONE, outcome)]


def test_the_row_about_the_same_name_for_another_number(account: Account) -> None:
    account.add(Name="one")
    answer = account.add(Name="one", phoneNumber="+447700900002", checkDuplicate="TRUE", action="START")
    assert answer == says("SUCCESS", "SuccessFully Updated, Demo was started")


def test_the_row_about_another_skill(account: Account) -> None:
    account.add(campaignName="Skillwise", skill="one")
    assert account.add(campaignName="Skillwise", skill="two") == says("Success", "Number Already Existed")
    assert account.outcomes() == [(PHONE, "accepted"), (PHONE, "duplicate")]


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({**KEY, "Authorization": "Bearer "}, "false", "Token Should Not be Null or Empty."),
        ({**KEY, "Authorization": "Bearer of-another-account"}, "false", "Invalid Token"),
        (KEY, "false", "Invalid action."),
    ],
)
def test_a_row_about_the_token(account: Account, headers: dict[str, str], status: str, message: str) -> None:
    assert account.add(headers=headers) == says(status, message)
    assert account.outcomes() == []


@pytest.mark.parametrize(
    ("key", "message"),
    [(None, "Api Key Should Not be Null or Empty."), ("", "Invalid User Details"), ("wrong", "Invalid User Details")],
)
def test_a_row_about_the_api_key(account: Account, key: str | None, message: str) -> None:
    headers = {"Authorization": account.headers["Authorization"]} | ({} if key is None else {"apiKey": key})
    assert account.add(headers=headers) == says("false", message)


def test_the_row_about_an_expired_token(account: Account) -> None:
    account.sandbox.clock(advance=HOUR)
    assert account.add() == says("false", "Token Expired")


@pytest.mark.parametrize("mode", ["BASIC_AUTH", "NONE"])
def test_the_rows_about_another_authentication_mode(account: Account, mode: str) -> None:
    account.sandbox.control("ozonetel", auth_mode=mode)
    assert account.add() == says("false", "Invalid action.")


def test_in_basic_mode_the_key_is_enough(account: Account) -> None:
    account.sandbox.control("ozonetel", auth_mode="BASIC_AUTH")
    assert account.add(headers=KEY) == says("Success", ADDED)
    assert account.add(headers={}) == says("false", "Api Key Should Not be Null or Empty.")


@pytest.mark.parametrize(
    ("body", "status"),
    [({"userName": "somebody"}, 401), ({"phoneNumber": "ada"}, 400), ({"campaignName": "unknown"}, 400), ({}, 200)],
)
def test_refusals_may_have_an_http_status(account: Account, body: dict[str, Any], status: int) -> None:
    account.sandbox.control("ozonetel", http_errors=True)
    response = account.call("POST", ADD, {"campaignName": "Demo", "phoneNumber": PHONE, **body})
    assert response.status_code == status


def test_what_came_with_a_lead_is_written_down(account: Account) -> None:
    account.add(Name="Ada", priority=7)
    (contact,) = account.sandbox.received("ozonetel")["contacts"]
    assert (contact["call"], contact["campaign"], contact["contact"]) == ("add_lead", "Demo", PHONE)
    assert contact["fields"] == {"phoneNumber": PHONE, "Name": "Ada", "priority": 7}


def test_a_hundred_leads_a_minute_are_taken(account: Account) -> None:
    answers = [account.add(phoneNumber=str(1000 + number)) for number in range(101)]
    assert [answer["message"] for answer in answers] == [ADDED] * 100 + ["Max limit exceeded"]
    assert len(account.outcomes()) == 100
    account.sandbox.control("ozonetel", http_errors=True)
    assert account.call("POST", ADD, {"campaignName": "Demo", "phoneNumber": PHONE}).status_code == 429
    account.sandbox.clock(advance=MINUTE)
    assert account.call("POST", ADD, {"campaignName": "Demo", "phoneNumber": PHONE}).status_code == 200

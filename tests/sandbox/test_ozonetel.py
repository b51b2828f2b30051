"""Ozonetel in the sandbox beside adding a lead: tokens, campaign status, bulk, and call records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.sandbox.ozonetel_account import BULK, HOUR, KEY, REPORT, SET, STATUS, TOKEN, USER, Account, says

ADDED = "Please pass the valid Campaign action SuccessFully Updated Demo Campaign Data"


@pytest.fixture
def account(sandbox: SandboxClient) -> Account:
    return Account(sandbox)


# -- tokens


def test_a_new_token_ends_the_old_one(account: Account) -> None:
    new = account.sign_in()
    assert account.add() == says("false", "Invalid Token")
    assert account.add(headers={**KEY, "Authorization": f"Bearer {new}"}) == says("Success", ADDED)


def test_a_token_says_nothing_but_itself(account: Account) -> None:
    body = account.call("POST", TOKEN, {}, KEY).json()
    assert body == {"token": body["token"], "message": ""}
    assert [request["call"] for request in account.sandbox.received("ozonetel")["requests"]] == ["token", "token"]


@pytest.mark.parametrize(
    ("mode", "body", "headers", "message"),
    [
        ("TOKEN_AUTH", {"userName": ""}, KEY, "UserName is null"),
        ("TOKEN_AUTH", {"userName": "somebody"}, KEY, "Invalid userName or apiKey"),
        ("TOKEN_AUTH", {}, {"apiKey": "wrong"}, "Invalid userName or apiKey"),
        ("BASIC_AUTH", {}, KEY, "Invalid action."),
    ],
)
def test_a_token_is_refused(
    sandbox: SandboxClient, mode: str, body: dict[str, str], headers: dict[str, str], message: str
) -> None:
    account = Account(sandbox)
    sandbox.control("ozonetel", auth_mode=mode)
    assert account.call("POST", TOKEN, body, headers).json() == says("false", message)


def test_ten_tokens_an_hour_are_given(account: Account) -> None:
    for _ in range(9):
        account.sign_in()
    response = account.call("POST", TOKEN, {}, KEY)
    assert (response.status_code, response.json()) == (429, says("false", "Max limit exceeded"))
    account.sandbox.clock(advance=HOUR)
    assert account.sign_in()


# -- campaign status


def test_a_campaign_is_dialled_by_the_clock(account: Account) -> None:
    account.sandbox.control("ozonetel", seconds_per_lead=60)
    assert account.position() == "READY"
    account.add(phoneNumber="1001")
    account.add(phoneNumber="1002", action="START")
    assert account.position() == "RUNNING"
    account.sandbox.clock(advance=120)
    assert account.position() == "RUNNING"
    account.sandbox.clock(advance=60)
    assert account.position() == "COMPLETED"
    account.add(phoneNumber="1003")
    assert account.position() == "COMPLETED"
    account.add(phoneNumber="1004", action="START")
    assert account.position() == "RUNNING"


def test_a_position_may_be_shown_in_place_of_its_own(account: Account) -> None:
    account.sandbox.control("ozonetel", campaign="Demo", position="ARCHIVED")
    assert account.position() == "ARCHIVED"
    account.sandbox.control("ozonetel", campaign="Demo", position="")
    assert account.position() == "READY"


@pytest.mark.parametrize(
    ("action", "word", "position"), [("Start", "started", "RUNNING"), ("Stop", "stopped", "STOPPED")]
)
def test_a_status_is_set(account: Account, action: str, word: str, position: str) -> None:
    account.sandbox.control("ozonetel", seconds_per_lead=60)
    body = {"campaignName": "Progressive", "action": action, "process": True}
    assert account.call("PUT", SET, body).json() == says("SUCCESS", f"SUCCESSFULLY UPDATED, Progressive was {word}")
    assert account.position("Progressive") == position


@pytest.mark.parametrize(
    "body",
    [
        {"campaignName": "Demo", "action": "Start"},
        {"campaignName": "Demo", "process": True},
        {"campaignName": "Demo", "action": "Pause", "process": True},
        {"action": "Start", "process": True},
        {"campaignName": "Demo", "action": "Start", "process": True, "userName": ""},
    ],
)
def test_setting_a_status_needs_all_parameters(account: Account, body: dict[str, Any]) -> None:
    assert account.call("PUT", SET, body).json() == says("failure", "All parameters are mandatory")


def test_setting_a_status_needs_no_key_beside_the_token(account: Account) -> None:
    bearer = {"Authorization": account.headers["Authorization"]}
    body = {"campaignName": "Demo", "action": "Start", "process": True}
    assert account.call("PUT", SET, body, bearer).json()["status"] == "SUCCESS"


def test_a_status_comes_with_those_of_other_campaigns(account: Account) -> None:
    body = account.call("GET", STATUS, {"campaignName": "Mine"}).json()
    assert body["status"] == "success"
    assert body["message"][0] == {
        "CampaignID": "256",
        "CampaignName": "Demo",
        "UserName": "sandbox",
        "Position": "READY",
    }
    assert [one["CampaignName"] for one in body["message"]][1:] == [
        "Progressive",
        "Inbound",
        "Agentwise",
        "Skillwise",
        "Mine",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "All parameters are mandatory"),
        ({}, "All parameters are mandatory"),
        ({"campaignName": "Demo", "userName": ""}, "All parameters are mandatory"),
        ({"campaignName": "unknown"}, "no record found"),
    ],
)
def test_a_status_is_refused(account: Account, body: dict[str, Any] | None, message: str) -> None:
    assert account.call("GET", STATUS, body).json() == says("failure", message)


def test_a_status_is_a_get(account: Account) -> None:
    assert account.call("POST", STATUS, {"campaignName": "Demo"}).status_code == 405


# -- bulk


def bulk(account: Account, rows: list[list[Any]], *, form: bool = False, **fields: Any) -> requests.Response:
    data = {"map": ["PhoneNumber", "Name", "AgentId"], "data": rows}
    body = {**USER, **KEY, "campaignName": "Demo", "checkDuplicate": "true", "bulkData": data, **fields}
    url = f"{account.sandbox.url}/ozonetel{BULK}"
    if form:
        return requests.post(url, data={**body, "bulkData": json.dumps(data)}, timeout=5)
    return requests.post(url, json=body, timeout=5)


@pytest.mark.parametrize("form", [False, True])
def test_rows_are_queued(account: Account, form: bool) -> None:
    rows = [["1001", "Ada", ""], ["1001", "Ada", ""], ["ada", "", ""]]
    assert bulk(account, rows, form=form).json() == {"status": "SUCCESS", "message": "Data processing"}
    assert account.outcomes() == [("1001", "accepted"), ("1001", "duplicate"), ("ada", "rejected")]
    assert account.position() == "READY"


def test_isdelete_alone_counts(account: Account) -> None:
    for _ in range(2):
        bulk(account, [["1001", "Ada", ""]], isdelete="true", action="START")
    assert account.outcomes() == [("1001", "accepted")] * 2
    account.sandbox.clock(advance=2)
    assert account.position() == "COMPLETED"


@pytest.mark.parametrize(
    ("rows", "fields", "answer"),
    [
        ([["1001", "", ""]] * 501, {}, says("Error", "Maximum 500 records of 2000 characters are allowed")),
        ([["1001", "x" * 2000, ""]], {}, says("Error", "Maximum 500 records of 2000 characters are allowed")),
        ([["1001", "", ""]], {"apiKey": "wrong"}, says("false", "Invalid User Details")),
        ([["1001", "", ""]], {"campaignName": "unknown"}, says("FAIL", "No User Found or Campaign Name is Invalid")),
        ([["1001"]], {}, says("Error", "Bad Request")),
        ([], {"bulkData": {}}, says("Error", "Bad Request")),
    ],
)
def test_a_bulk_is_refused_whole(
    account: Account, rows: list[list[Any]], fields: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert bulk(account, rows, **fields).json() == answer
    assert account.outcomes() == []


def test_five_bulks_a_minute_are_taken(account: Account) -> None:
    statuses = [bulk(account, [["1001", "", ""]]).json()["message"] for _ in range(6)]
    assert statuses == ["Data processing"] * 5 + ["Max limit exceeded"]


# -- call records


def report(
    account: Account, query: str = "", headers: dict[str, str] | None = None, **fields: Any
) -> requests.Response:
    now = datetime.now(UTC)
    period = {
        "fromDate": f"{now - timedelta(days=1):%Y-%m-%d %H:%M:%S}",
        "toDate": f"{now + timedelta(days=1):%Y-%m-%d %H:%M:%S}",
    }
    return account.call("GET", REPORT, {**period, **fields}, headers, query)


def test_calls_are_reported_in_pages(account: Account) -> None:
    for number in range(3):
        account.add(phoneNumber=str(1000 + number), action="START", Name="Ada")
    account.sandbox.clock(advance=10)
    first = report(account, "?pageNo=1&pageSize=2").json()
    second = report(account, "?pageNo=2&pageSize=2").json()
    assert (first["status"], first["totalCount"]) == ("success", 3)
    assert [row["CallerID"] for row in first["details"] + second["details"]] == ["1000", "1001", "1002"]
    assert {row["UUI"] for row in first["details"]} == {"Ada"}


def test_calls_are_reported_of_one_campaign_and_period(account: Account) -> None:
    account.add(action="START")
    account.sandbox.clock(advance=10)
    assert report(account, campaignName="Progressive").json()["totalCount"] == 0
    assert report(account, fromDate="2000-01-01 00:00:00", toDate="2000-01-01 23:59:59").json()["totalCount"] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fromDate": None}, "Missing fromDate and toDate"),
        ({"fromDate": "2026-01-01"}, "Invalid fromDate format. Please enter date in format yyyy-MM-dd HH:mm:ss"),
        ({"toDate": "tomorrow"}, "Invalid toDate format. Please enter date in format yyyy-MM-dd HH:mm:ss"),
    ],
)
def test_a_report_needs_a_period(account: Account, fields: dict[str, Any], message: str) -> None:
    assert report(account, **fields).json() == says("fail", message)


def test_a_report_has_at_most_500_rows_a_page(account: Account) -> None:
    assert report(account, "?pageSize=501").json()["status"] == "fail"


@pytest.mark.parametrize(
    ("headers", "user", "message"),
    [
        ({}, "sandbox", "Missing userName or apiKey"),
        (KEY, "", "Missing userName or apiKey"),
        (KEY, "somebody", "userName or apiKey is Invalid"),
        ({"apiKey": "wrong"}, "sandbox", "userName or apiKey is Invalid"),
        ({"Authorization": "Bearer of-another-account"}, "sandbox", "Invalid Token"),
    ],
)
def test_a_report_is_refused_with_401(account: Account, headers: dict[str, str], user: str, message: str) -> None:
    response = report(account, headers=headers, userName=user)
    assert (response.status_code, response.json()) == (401, says("false", message))


def test_two_reports_a_minute_are_given(account: Account) -> None:
    assert [report(account, headers=KEY).json()["status"] for _ in range(3)] == ["success", "success", "Error"]


@pytest.mark.parametrize(("action", "position"), [("start", "RUNNING"), ("stop", "STOPPED")])
def test_a_person_starts_and_stops_a_campaign(account: Account, action: str, position: str) -> None:
    account.add()
    account.sandbox.control("ozonetel", campaign="Demo", action=action)
    assert account.position() == position


@pytest.mark.parametrize("command", [{}, {"action": "pause"}, {"action": None}])
def test_another_command_to_a_campaign_is_refused(account: Account, command: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a position, or the action start or stop"):
        account.sandbox.control("ozonetel", campaign="Demo", **command)


@pytest.mark.parametrize(("name", "taken"), [("N" * 100, True), ("N" * 1900, False)])
def test_a_bulk_row_counts_its_headers(account: Account, name: str, taken: bool) -> None:
    table = {"map": ["PhoneNumber", name], "data": [["1001", "x" * 150]]}
    answer = bulk(account, [], bulkData=table).json()["status"]
    assert (answer == "SUCCESS") == taken

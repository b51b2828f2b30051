"""Creating campaigns, contacts and lists in the sandbox's Exotel, as the sample and the old portal's pages have it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.sandbox.exotel_calls import (
    AUTH,
    BASE,
    BUSY,
    GOOD,
    MINUTE,
    call,
    create,
    outcomes,
)

# -- who is calling


@pytest.mark.parametrize("auth", [None, ("exotel-sandbox-key", "wrong"), ("sandbox1", "exotel-sandbox-token")])
@pytest.mark.parametrize(("method", "path"), [("POST", "/campaigns"), ("GET", "/campaigns"), ("GET", "/lists")])
def test_wrong_credentials_are_refused(sandbox: SandboxClient, method: str, path: str, auth: Any) -> None:
    response = call(sandbox, method, path, {"campaigns": [BASE]}, auth)
    assert response.status_code == 401
    assert response.json() == {"RestException": {"Status": 401, "Message": "Authentication failed"}}
    assert outcomes(sandbox) == []


def test_another_account_is_not_found(sandbox: SandboxClient) -> None:
    response = requests.get(f"{sandbox.url}/exotel/v2/accounts/other/campaigns", auth=AUTH, timeout=5)
    assert (response.status_code, response.json()["response"]["code"]) == (404, 404)


def test_thirty_campaign_calls_a_minute_are_taken(sandbox: SandboxClient) -> None:
    statuses = [call(sandbox, "GET", "/campaigns").status_code for _ in range(31)]
    assert statuses == [207] * 30 + [429]
    response = call(sandbox, "GET", "/campaigns")
    assert response.json() == {"RestException": {"Status": 429, "Message": "Too Many Requests"}}
    assert 0 < int(response.headers["Retry-After"]) <= MINUTE
    assert (response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"]) == ("30", "0")
    assert int(response.headers["X-RateLimit-Reset"]) > 0
    assert call(sandbox, "GET", "/lists").status_code == 207
    sandbox.clock(advance=MINUTE)
    assert call(sandbox, "GET", "/campaigns").status_code == 207


# -- creating


def test_a_campaign_has_the_form_of_the_sample(sandbox: SandboxClient) -> None:
    response = call(sandbox, "POST", "/campaigns", {"campaigns": [BASE]})
    body = response.json()
    assert (response.status_code, body["http_code"], body["method"]) == (207, 207, "POST")
    (item,) = body["response"]
    assert list(item) == ["code", "error_data", "status", "data", "summary"]
    assert (item["code"], item["error_data"], item["status"]) == (200, None, "success")
    data = item["data"]
    assert list(data) == [
        *("id", "account_sid", "name", "type", "from", "caller_id", "url", "retries", "schedule"),
        *("status_callback", "call_status_callback", "call_schedule_callback", "custom_field"),
        *("date_created", "date_updated", "status", "uri", "call_status_callback_params"),
        *("call_duplicate_numbers", "stats"),
    ]
    assert list(data["stats"]) == [
        *("created", "in-progress", "retry", "retrying", "failed", "failed-dnd", "invalid", "paused"),
        *("failed-no-attempt", "completed"),
    ]
    assert list(item["summary"]) == [
        *("campaign_sid", "call_scheduled", "call_initialized", "call_completed", "call_failed"),
        *("call_inprogress", "DateCreated"),
    ]
    assert (data["status"], data["from"], data["uri"]) == (
        "Created",
        [GOOD],
        f"/v2/accounts/sandbox1/campaigns/{data['id']}",
    )
    assert set(data["stats"].values()) == {0}


def test_a_campaign_without_a_name_or_times_gets_them(sandbox: SandboxClient) -> None:
    data = create(sandbox, name=None)["data"]
    assert data["name"].startswith("sandbox1_20")
    times = [datetime.fromisoformat(data["schedule"][name]) for name in ("send_at", "end_at")]
    assert times[1] - times[0] == timedelta(days=30)
    assert times[0].utcoffset() == timedelta(hours=5, minutes=30)


def test_numbers_may_be_one_string(sandbox: SandboxClient) -> None:
    assert create(sandbox, **{"from": f"{GOOD}, {BUSY}"})["data"]["from"] == [GOOD, BUSY]


@pytest.mark.parametrize(
    ("repeats", "called", "outcome"),
    [(None, [GOOD], "duplicate"), (False, [GOOD], "duplicate"), (True, [GOOD] * 2, "accepted")],
)
def test_repeated_numbers_are_called_only_on_request(
    sandbox: SandboxClient, repeats: bool | None, called: list[str], outcome: str
) -> None:
    item = create(sandbox, call_duplicate_numbers=repeats, **{"from": [GOOD, GOOD]})
    assert item["data"]["from"] == called
    assert outcomes(sandbox) == [(GOOD, "accepted"), (GOOD, outcome)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"from": [GOOD, "ada", "bo"]}, "Invalid number ada"),
        ({"from": [GOOD, "12"]}, "Invalid number 12"),
        ({"from": []}, "from should have 1 to 5000 numbers"),
        ({"from": [GOOD] * 5001}, "from should have 1 to 5000 numbers"),
        ({"from": None}, "Either from or lists is mandatory"),
        ({"lists": ["x"]}, "Either from or lists is mandatory"),
        ({"from": None, "lists": ["nobody's"]}, "Invalid lists"),
        ({"caller_id": None}, "caller_id is mandatory"),
        ({"url": None}, "url is mandatory"),
        ({"name": "abc"}, "name should be longer than 3 characters"),
        ({"type": "promo"}, "type should be trans"),
        ({"retries": {"number_of_retries": 4, "interval_mins": 1}}, "number_of_retries should be 0 to 3"),
        ({"retries": {"number_of_retries": 1}}, "interval_mins is mandatory"),
        ({"retries": {"number_of_retries": 1, "interval_mins": 1, "mechanism": "linear"}}, "Invalid retries"),
        ({"retries": {"number_of_retries": 1, "interval_mins": 1, "on_status": ["failure"]}}, "Invalid retries"),
        ({"schedule": {"send_at": "2030-01-01T10:00:00"}}, "Invalid schedule time 2030-01-01T10:00:00"),
        ({"schedule": {"send_at": "tomorrow"}}, "Invalid schedule time tomorrow"),
        (
            {"schedule": {"send_at": "2030-01-02T10:00:00Z", "end_at": "2030-01-01T10:00:00Z"}},
            "end_at should be after send_at",
        ),
        ({"mode": "custom", "throttle": 60}, "throttle should be 1 to 59"),
    ],
)
def test_an_invalid_campaign_is_refused_whole(sandbox: SandboxClient, fields: dict[str, Any], message: str) -> None:
    item = create(sandbox, **fields)
    assert (item["code"], item["status"], item["data"]) == (400, "failure", None)
    assert item["error_data"] == {"code": 400, "message": "Bad Request", "description": message}
    assert [outcome for _, outcome in outcomes(sandbox)] in ([], ["rejected"])
    assert call(sandbox, "GET", "/campaigns").json()["metadata"]["total"] == 0


def test_the_first_invalid_number_is_the_one_that_counts(sandbox: SandboxClient) -> None:
    create(sandbox, **{"from": [GOOD, "ada", "bo"]})
    assert outcomes(sandbox) == [("ada", "rejected")]


def test_items_fail_by_themselves(sandbox: SandboxClient) -> None:
    response = call(sandbox, "POST", "/campaigns", {"campaigns": [BASE, {**BASE, "from": ["ada"]}]})
    assert [item["code"] for item in response.json()["response"]] == [200, 400]


@pytest.mark.parametrize("body", [{}, {"campaigns": {}}, {"campaigns": []}, {"campaigns": [BASE] * 5001}])
def test_other_errors_have_an_object_in_response(sandbox: SandboxClient, body: Any) -> None:
    response = call(sandbox, "POST", "/campaigns", body)
    assert (response.status_code, response.json()["http_code"], response.json()["response"]["code"]) == (400, 400, 400)


@pytest.mark.parametrize(
    ("setting", "campaigns", "status_line"),
    [
        ("multi", [BASE], 207),
        ("ok", [BASE], 200),
        ("item", [BASE], 200),
        ("item", [{**BASE, "from": ["ada"]}], 400),
        ("item", [BASE, {**BASE, "from": ["ada"]}], 200),
    ],
)
def test_the_status_line_is_a_setting(
    sandbox: SandboxClient, setting: str, campaigns: list[dict[str, Any]], status_line: int
) -> None:
    sandbox.control("exotel", http_status=setting)
    response = call(sandbox, "POST", "/campaigns", {"campaigns": campaigns})
    assert (response.status_code, response.json()["http_code"]) == (status_line, 207)


# -- contacts and lists


def sids(response: requests.Response) -> list[str]:
    return [item["data"]["sid"] for item in response.json()["response"]]


def test_a_campaign_calls_the_contacts_of_lists(sandbox: SandboxClient) -> None:
    contacts = sids(call(sandbox, "POST", "/contacts", {"contacts": [{"number": GOOD}, {"number": BUSY}]}))
    (sid,) = sids(call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine"}]}))
    references = [{"contact_sid": contact} for contact in [*contacts, "nobody"]]
    body = call(sandbox, "POST", f"/lists/{sid}/contacts", {"contact_references": references}).json()
    assert (body["metadata"], body["response"][0]["data"]) == ({"success": 2, "total": 3}, {"list_id": sid})
    members = call(sandbox, "GET", f"/lists/{sid}/contacts").json()["response"]
    assert [member["data"]["number"] for member in members] == [GOOD, BUSY]
    item = create(sandbox, lists=[sid], **{"from": None})
    assert (item["data"]["lists"], outcomes(sandbox)) == ([sid], [(GOOD, "accepted"), (BUSY, "accepted")])


def test_contacts_fail_by_themselves(sandbox: SandboxClient) -> None:
    items = call(sandbox, "POST", "/contacts", {"contacts": [{"number": GOOD}, {"number": "ada"}]}).json()["response"]
    assert [item["code"] for item in items] == [200, 400]
    sid = items[0]["data"]["sid"]
    assert call(sandbox, "GET", f"/contacts/{sid}").json()["response"][0]["data"]["number"] == GOOD
    assert call(sandbox, "GET", "/contacts/nobody").status_code == 404


def test_a_list_has_a_name_of_its_own(sandbox: SandboxClient) -> None:
    (sid,) = sids(call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine", "tag": "x"}]}))
    items = call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine"}, {}]}).json()["response"]
    assert [item["code"] for item in items] == [409, 400]
    assert items[0]["error_data"]["description"] == "List name already exists"
    assert sids(call(sandbox, "GET", "/lists")) == [sid]
    assert sids(call(sandbox, "GET", "/lists", name="other")) == []
    assert sids(call(sandbox, "GET", f"/lists/{sid}")) == [sid]


def test_a_deleted_list_is_gone(sandbox: SandboxClient) -> None:
    (sid,) = sids(call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine"}]}))
    assert sids(call(sandbox, "DELETE", f"/lists/{sid}")) == [sid]
    assert call(sandbox, "GET", f"/lists/{sid}").status_code == 404
    references = {"contact_references": [{"contact_sid": "x"}]}
    assert call(sandbox, "POST", f"/lists/{sid}/contacts", references).status_code == 404


def test_members_come_in_pages_of_at_most_20(sandbox: SandboxClient) -> None:
    contacts = sids(call(sandbox, "POST", "/contacts", {"contacts": [{"number": GOOD}] * 21}))
    (sid,) = sids(call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine"}]}))
    references = [{"contact_sid": contact} for contact in contacts]
    call(sandbox, "POST", f"/lists/{sid}/contacts", {"contact_references": references})
    assert len(call(sandbox, "GET", f"/lists/{sid}/contacts", limit=100).json()["response"]) == 20


@pytest.mark.parametrize("references", [None, [], [{"contact_sid": "x"}] * 5001])
def test_a_list_takes_1_to_5000_contacts_a_call(sandbox: SandboxClient, references: Any) -> None:
    (sid,) = sids(call(sandbox, "POST", "/lists", {"lists": [{"name": "Mine"}]}))
    response = call(sandbox, "POST", f"/lists/{sid}/contacts", {"contact_references": references})
    assert response.status_code == 400

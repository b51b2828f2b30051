"""Collect in the sandbox, as its pages have it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient

AUTH = ("", "collect-sandbox-key")
CAMPAIGN = "xvr69EYLKXvTkfYuk"
ADA = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Example"}


def call(sandbox: SandboxClient, method: str, path: str, auth: Any = AUTH, **options: Any) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/collect/v1{path}", auth=auth, timeout=5, **options)


def send(sandbox: SandboxClient, contact: Any = ADA, **fields: Any) -> dict[str, Any]:
    body = {"campaignId": CAMPAIGN, "contact": contact, **fields}
    response = call(sandbox, "POST", "/request", json=body)
    response.raise_for_status()
    request: dict[str, Any] = response.json()["request"]
    return request


def read(sandbox: SandboxClient, request: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = call(sandbox, "GET", f"/requests/{request['_id']}").json()
    return body


def outcomes(sandbox: SandboxClient) -> list[tuple[str, str]]:
    return [(contact["contact"], contact["outcome"]) for contact in sandbox.received("collect")["contacts"]]


# -- signing in


@pytest.mark.parametrize("auth", [None, ("", "wrong"), ("collect-sandbox-key", ""), ("user", "collect-sandbox-key")])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/request"), ("POST", "/requests"), ("PATCH", "/request"), ("GET", "/requests"), ("GET", "/team")],
)
def test_only_the_key_with_an_empty_user_is_taken(sandbox: SandboxClient, method: str, path: str, auth: Any) -> None:
    response = call(sandbox, method, path, auth, json={"campaignId": CAMPAIGN, "contact": ADA})
    assert response.status_code == 401
    assert response.json() == {"error": "Unauthorized", "message": "Your API key is wrong."}
    assert outcomes(sandbox) == []


def test_an_authorization_that_cannot_be_read_is_refused(sandbox: SandboxClient) -> None:
    response = call(sandbox, "GET", "/team", None, headers={"Authorization": "Basic %%%"})
    assert response.status_code == 401


# -- one request


def test_a_request_has_the_form_of_the_pages(sandbox: SandboxClient) -> None:
    body = call(sandbox, "POST", "/request", json={"campaignId": CAMPAIGN, "contact": ADA}).json()
    assert body["errors"] == []
    request = body["request"]
    assert set(request) == {
        *("_id", "campaignId", "createdAt", "portalUrl", "status", "dueDate", "privacy", "contact", "branding")
    }
    assert (request["campaignId"], request["status"], request["dueDate"]) == (CAMPAIGN, "pending", None)
    assert re.fullmatch(r"\w{17}", request["_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", request["createdAt"])
    assert request["contact"].items() >= ADA.items()
    assert request["contact"]["nbRequest"] == 1


def test_dates_may_be_of_the_old_style(sandbox: SandboxClient) -> None:
    sandbox.control("collect", dates="old")
    request = send(sandbox, dueDate="2022-07-11T21:59:00Z")
    assert request["dueDate"] == "2022-07-11 21:59:00 UTC"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", request["createdAt"])


def test_a_contact_is_known_by_address_and_by_id(sandbox: SandboxClient) -> None:
    first = send(sandbox)
    second = send(sandbox)
    third = send(sandbox, first["contact"]["_id"])
    assert first["contact"]["_id"] == second["contact"]["_id"] == third["contact"]["_id"]
    assert third["contact"]["nbRequest"] == 3
    assert len({first["_id"], second["_id"], third["_id"]}) == 3


def test_a_new_contact_named_twice_in_one_call_is_one_contact(sandbox: SandboxClient) -> None:
    body = call(sandbox, "POST", "/requests", json={"campaignId": CAMPAIGN, "contacts": [ADA, ADA]}).json()
    assert len({request["contact"]["_id"] for request in body["requests"]}) == 1
    assert len({request["_id"] for request in body["requests"]}) == 2


def test_a_contact_may_be_an_id_of_the_account(sandbox: SandboxClient) -> None:
    assert send(sandbox, "WmTjsFknzHdmfs3Ra")["contact"]["_id"] == "WmTjsFknzHdmfs3Ra"


def test_what_came_with_a_contact_is_written_down(sandbox: SandboxClient) -> None:
    send(sandbox, sendMessage=False, data={"brand": "x"})
    (contact,) = sandbox.received("collect")["contacts"]
    assert (contact["campaign"], contact["contact"]) == (CAMPAIGN, "ada@example.com")
    assert contact["fields"] == {**ADA, "sendMessage": False, "data": {"brand": "x"}}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"campaignId": "unknown1"}, 404),
        ({"campaignId": "hidden1"}, 403),
        ({"campaignId": ""}, 400),
        ({"campaignId": 7}, 400),
        ({"contact": None}, 400),
        ({"contact": {"firstName": "Ada"}}, 400),
        ({"contact": {"email": "no address"}}, 400),
        ({"contact": "unknown1"}, 404),
        ({"createdBy": "somebody"}, 400),
        ({"dueDate": "tomorrow"}, 400),
    ],
)
def test_a_bad_request_is_refused_whole(sandbox: SandboxClient, fields: dict[str, Any], status: int) -> None:
    response = call(sandbox, "POST", "/request", json={"campaignId": CAMPAIGN, "contact": ADA, **fields})
    assert response.status_code == status
    assert sorted(response.json()) == ["error", "message"]
    assert outcomes(sandbox) == []


def test_a_rejected_contact_is_an_error_in_a_200(sandbox: SandboxClient) -> None:
    contact = {"email": "rejected@example.com"}
    response = call(sandbox, "POST", "/request", json={"campaignId": CAMPAIGN, "contact": contact})
    assert response.status_code == 200
    assert response.json()["request"] is None
    assert response.json()["errors"] == [
        {"contact": "rejected@example.com", "message": "The contact could not be added."}
    ]
    assert outcomes(sandbox) == [("rejected@example.com", "rejected")]


# -- many requests


def test_many_contacts_are_sent_in_one_call(sandbox: SandboxClient) -> None:
    contacts = [{"email": f"c{number}@example.com"} for number in range(50)]
    body = call(sandbox, "POST", "/requests", json={"campaignId": CAMPAIGN, "contacts": contacts}).json()
    assert [request["contact"]["email"] for request in body["requests"]] == [one["email"] for one in contacts]
    assert body["errors"] == []
    assert len(outcomes(sandbox)) == 50


def test_a_rejected_contact_is_missing_from_the_requests(sandbox: SandboxClient) -> None:
    contacts = [ADA, {"email": "rejected@example.com"}]
    body = call(sandbox, "POST", "/requests", json={"campaignId": CAMPAIGN, "contacts": contacts}).json()
    assert [request["contact"]["email"] for request in body["requests"]] == ["ada@example.com"]
    assert [error["contact"] for error in body["errors"]] == ["rejected@example.com"]


@pytest.mark.parametrize(
    "contacts", [[], None, [{"email": f"c{number}@example.com"} for number in range(51)], [ADA, {}]]
)
def test_a_bad_list_of_contacts_is_refused_whole(sandbox: SandboxClient, contacts: Any) -> None:
    response = call(sandbox, "POST", "/requests", json={"campaignId": CAMPAIGN, "contacts": contacts})
    assert response.status_code == 400
    assert outcomes(sandbox) == []


# -- how a request continues


@pytest.mark.parametrize(
    ("email", "before", "after"),
    [
        ("ada@example.com", "pending", "completed"),
        ("error@example.com", "pending", "error"),
        ("waiting@example.com", "pending", "waiting"),
        ("cancelled@example.com", "pending", "cancelled"),
        ("pending@example.com", "pending", "pending"),
    ],
)
def test_a_request_proceeds_by_the_clock(sandbox: SandboxClient, email: str, before: str, after: str) -> None:
    request = send(sandbox, {"email": email})
    assert read(sandbox, request)["status"] == before
    sandbox.clock(advance=60)
    assert read(sandbox, request)["status"] == after


@pytest.mark.parametrize("email", ["due@example.com", "pending@example.com"])
def test_a_request_past_its_date_is_due(sandbox: SandboxClient, email: str) -> None:
    assert send(sandbox, {"email": email}, dueDate="2999-01-01T00:00:00Z")["status"] == "pending"
    assert send(sandbox, {"email": email}, dueDate="2000-01-01")["status"] == "due"


def test_a_status_may_be_set_by_hand(sandbox: SandboxClient) -> None:
    request = send(sandbox)
    sandbox.control("collect", request=request["_id"], status="error")
    assert read(sandbox, request)["status"] == "error"
    with pytest.raises(ValueError, match="no request 'other'"):
        sandbox.control("collect", request="other", status="error")


def test_completion_may_take_longer(sandbox: SandboxClient) -> None:
    sandbox.control("collect", completes_after=120)
    request = send(sandbox)
    sandbox.clock(advance=60)
    assert read(sandbox, request)["status"] == "pending"


# -- changing a request


@pytest.mark.parametrize(
    ("written", "read_back"),
    [
        ("canceled", "cancelled"),
        ("completed", "completed"),
        ("waiting", "waiting"),
        ("archived", "archived"),
        ("pending", "pending"),
    ],
)
def test_a_status_is_written_in_one_spelling_and_read_in_another(
    sandbox: SandboxClient, written: str, read_back: str
) -> None:
    request = send(sandbox)
    body = call(sandbox, "PATCH", "/request", json={"requestId": request["_id"], "status": written}).json()
    assert (body["request"]["status"], body["errors"]) == (read_back, [])
    sandbox.clock(advance=60)
    assert read(sandbox, request)["status"] == read_back


@pytest.mark.parametrize("status", ["cancelled", "in review"])
def test_a_status_that_is_not_on_the_page_is_refused(sandbox: SandboxClient, status: str) -> None:
    request = send(sandbox)
    response = call(sandbox, "PATCH", "/request", json={"requestId": request["_id"], "status": status})
    assert response.status_code == 400


def test_the_account_may_have_statuses_of_its_own(sandbox: SandboxClient) -> None:
    sandbox.control("collect", custom_statuses=["in review"])
    request = send(sandbox)
    body = call(sandbox, "PATCH", "/request", json={"requestId": request["_id"], "status": "in review"}).json()
    assert body["request"]["status"] == "in review"


def test_other_fields_of_a_request_can_be_changed(sandbox: SandboxClient) -> None:
    request = send(sandbox, assignedTo="sandbox@example.com")
    change = {"requestId": request["_id"], "dueDate": "2030-01-01T00:00:00Z", "data": {"a": 1}, "assignedTo": "unset"}
    body = call(sandbox, "PATCH", "/request", json=change).json()["request"]
    assert (body["dueDate"], body["data"], body["assignedTo"]) == ("2030-01-01T00:00:00Z", {"a": 1}, None)


def test_an_unknown_request_is_not_found(sandbox: SandboxClient) -> None:
    assert call(sandbox, "GET", "/requests/nobody").status_code == 404
    assert call(sandbox, "PATCH", "/request", json={"requestId": "nobody"}).status_code == 404


# -- lists


def parse_list(sandbox: SandboxClient, **query: Any) -> list[str]:
    return [one["contact"]["email"] for one in call(sandbox, "GET", "/requests", params=query).json()]


def test_lists_leave_out_what_is_over_unless_asked(sandbox: SandboxClient) -> None:
    requests_sent = [send(sandbox, {"email": f"{name}@example.com"}) for name in ("ada", "bo", "cy")]
    sandbox.control("collect", request=requests_sent[1]["_id"], status="cancelled")
    sandbox.control("collect", request=requests_sent[2]["_id"], status="archived")
    assert parse_list(sandbox) == ["ada@example.com"]
    assert parse_list(sandbox, filter="cancelled") == ["bo@example.com"]
    assert parse_list(sandbox, filter="archived") == ["cy@example.com"]
    assert parse_list(sandbox, filter="pending") == ["ada@example.com"]


def test_lists_are_of_one_campaign_and_searched(sandbox: SandboxClient) -> None:
    send(sandbox)
    call(sandbox, "POST", "/request", json={"campaignId": "other", "contact": {"email": "bo@example.com"}})
    assert parse_list(sandbox) == ["ada@example.com", "bo@example.com"]
    assert parse_list(sandbox, campaignId=CAMPAIGN) == ["ada@example.com"]
    assert parse_list(sandbox, search="BO@") == ["bo@example.com"]


def test_lists_come_in_pages_of_at_most_100(sandbox: SandboxClient) -> None:
    for batch in range(3):
        contacts = [{"email": f"c{batch}-{number}@example.com"} for number in range(50)]
        call(sandbox, "POST", "/requests", json={"campaignId": CAMPAIGN, "contacts": contacts})
    assert len(parse_list(sandbox)) == 50
    assert len(parse_list(sandbox, limit=1000)) == 100
    assert len(parse_list(sandbox, limit=100, offset=100)) == 50
    assert call(sandbox, "GET", "/requests", params={"limit": 0}).status_code == 400
    assert call(sandbox, "GET", "/requests", params={"limit": "all"}).status_code == 400


def test_the_account_can_be_read(sandbox: SandboxClient) -> None:
    send(sandbox)
    assert set(call(sandbox, "GET", "/team").json()) == {"_id", "tz", "name", "plan"}
    (user,) = call(sandbox, "GET", "/users").json()
    assert call(sandbox, "GET", "/user", params={"email": user["email"]}).json() == user
    assert call(sandbox, "GET", "/user", params={"id": "nobody"}).status_code == 404
    assert [campaign["_id"] for campaign in call(sandbox, "GET", "/campaigns").json()] == [CAMPAIGN]
    assert call(sandbox, "GET", f"/campaigns/{CAMPAIGN}").json()["status"] == "open"
    assert call(sandbox, "GET", "/campaigns/unknown1").status_code == 404


@pytest.mark.parametrize(("expires", "status"), [(900, 200), (3600, 200), (3601, 400), (0, 400)])
def test_document_links_last_an_hour_at_most(sandbox: SandboxClient, expires: int, status: int) -> None:
    request = send(sandbox)
    response = call(sandbox, "GET", f"/requests/{request['_id']}", params={"expires": expires})
    assert response.status_code == status


def test_another_method_is_not_allowed(sandbox: SandboxClient) -> None:
    assert call(sandbox, "DELETE", "/request").status_code == 405

"""Xebo in the sandbox, as its pages have it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sandbox.xebo import export_id

COLLECTOR = "66c70e71f57bd9efe12d691d"
LINKS = f"/v2/api/collectors/{COLLECTOR}/campaigns/external"
SEND = f"/v2/api/collectors/{COLLECTOR}/campaigns"
SEND_NEW = f"/v2/api/collectors/{COLLECTOR}/combined/auto"
EXPORT = "/api/v1/export/responses/json"
LOGIN = {"email": "sandbox@example.com", "password": "xebo-sandbox-password"}
KEY = {"x-api-key": "xebo-sandbox-key"}
DAY = 86_400
NOT_PROVIDED = "The authorization token was not provided."
ENDED = "The authorization token is invalid or has expired."


def post(sandbox: SandboxClient, path: str, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.post(f"{sandbox.url}/xebo{path}", json=body, headers=KEY if headers is None else headers, timeout=5)


def outcomes(sandbox: SandboxClient) -> list[tuple[str, str]]:
    return [(contact["contact"], contact["outcome"]) for contact in sandbox.received("xebo")["contacts"]]


# -- signing in


def test_a_login_gives_a_token_for_a_day(sandbox: SandboxClient) -> None:
    token = post(sandbox, "/api/v1/oauth/token", LOGIN, {}).json()
    assert sorted(token) == ["access_token", "created_at", "expires_at", "refresh_token"]
    assert token["expires_at"] - token["created_at"] == DAY
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert post(sandbox, LINKS, {"contacts": [{"extUniqueId": "1"}]}, bearer).json()["accepted"] == 1
    sandbox.clock(advance=DAY)
    response = post(sandbox, LINKS, {"contacts": []}, bearer)
    assert (response.status_code, response.json()) == (401, {"error": {"name": "Unauthorized", "message": ENDED}})


@pytest.mark.parametrize(
    ("login", "status", "body"),
    [
        (
            {"email": "sandbox@example.com"},
            400,
            {
                "success": False,
                "code": 400,
                "status": "Bad Request",
                "error": "invalid",
                "message": "Invalid input.",
                "data": {"password": ["This field is required."]},
            },
        ),
        (
            {**LOGIN, "password": "wrong"},
            401,
            {
                "success": False,
                "code": 401,
                "status": "Unauthorized",
                "error": "no_active_account",
                "message": "Incorrect email or password",
            },
        ),
    ],
)
def test_a_login_is_refused_in_the_pages_words(
    sandbox: SandboxClient, login: dict[str, str], status: int, body: dict[str, Any]
) -> None:
    response = post(sandbox, "/api/v1/oauth/token", login, {})
    assert (response.status_code, response.json()) == (status, body)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, NOT_PROVIDED),
        ({"Authorization": "Bearer "}, NOT_PROVIDED),
        ({"Authorization": "Bearer of-another-account"}, ENDED),
        ({"x-api-key": "wrong"}, "The api key is not valid."),
    ],
)
@pytest.mark.parametrize("path", [LINKS, SEND, SEND_NEW])
def test_a_caller_without_credentials_is_refused(
    sandbox: SandboxClient, path: str, headers: dict[str, str], message: str
) -> None:
    response = post(sandbox, path, {"medium": 1, "contacts": [{"mobile": "+447700900001"}]}, headers)
    assert response.status_code == 401
    assert response.json() == {"error": {"name": "Unauthorized", "message": message}}
    assert outcomes(sandbox) == []


# -- links


def test_links_are_drawn_for_each_contact(sandbox: SandboxClient) -> None:
    contacts = [{"extUniqueId": str(number), "city": "Delhi"} for number in range(500)]
    body = post(sandbox, LINKS, {"collectortoken": "E/f1a0f500", "contacts": contacts}).json()
    assert (body["msg"], body["accepted"], body["rejected"], body["rejected_list"]) == (
        "Request data is correct",
        500,
        0,
        [],
    )
    assert [sorted(row) for row in body["data"][:1]] == [["extUniqueId", "message"]]
    assert [row["extUniqueId"] for row in body["data"]] == [contact["extUniqueId"] for contact in contacts]
    links = [re.search(r"https://s2ccx\.com/\w{7}$", row["message"]) for row in body["data"]]
    assert len({link and link.group() for link in links}) == 500


def test_the_same_contact_gets_another_link_each_time(sandbox: SandboxClient) -> None:
    messages = {post(sandbox, LINKS, {"contacts": [{"extUniqueId": "ada"}]}).text for _ in range(3)}
    assert len(messages) == 3


def test_what_came_with_a_contact_is_written_down(sandbox: SandboxClient) -> None:
    post(sandbox, LINKS, {"contacts": [{"extUniqueId": "1", "city": "Delhi"}]})
    (contact,) = sandbox.received("xebo")["contacts"]
    assert (contact["call"], contact["campaign"], contact["fields"]) == (
        "links",
        COLLECTOR,
        {"extUniqueId": "1", "city": "Delhi"},
    )


def test_contacts_without_what_is_needed_are_listed(sandbox: SandboxClient) -> None:
    contacts = [{"extUniqueId": "1"}, {"city": "Delhi"}, {"extUniqueId": "rejected-2"}]
    body = post(sandbox, LINKS, {"contacts": contacts}).json()
    assert (body["accepted"], body["rejected"]) == (1, 2)
    assert body["rejected_list"] == [
        {"city": "Delhi", "message": "extUniqueId is mandatory"},
        {"extUniqueId": "rejected-2", "message": "The contact is not valid"},
    ]
    assert outcomes(sandbox) == [("1", "accepted"), ("", "rejected"), ("rejected-2", "rejected")]


def test_the_rejected_may_be_listed_by_key(sandbox: SandboxClient) -> None:
    sandbox.control("xebo", rejected_shape="key")
    body = post(sandbox, LINKS, {"contacts": [{"extUniqueId": "rejected-2"}]}).json()
    assert body["rejected_list"] == ["rejected-2"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (LINKS.replace(COLLECTOR, "unknown1"), {"contacts": [{"extUniqueId": "1"}]}, "Collector not found"),
        (LINKS, {"collectortoken": "unknown", "contacts": [{"extUniqueId": "1"}]}, "Collector not found"),
        (LINKS, {"contacts": "1"}, "contacts must be an array of objects"),
        (LINKS, {"contacts": ["1"]}, "contacts must be an array of objects"),
        (
            LINKS,
            {"contacts": [{"extUniqueId": str(number)} for number in range(501)]},
            "Maximum 500 contacts are allowed in one request",
        ),
        (SEND, {"medium": 4, "contacts": [{"mobile": "1"}]}, "Invalid medium"),
        (SEND, {"contacts": [{"mobile": "1"}]}, "Invalid medium"),
        (SEND, {"medium": True, "contacts": [{"mobile": "1"}]}, "Invalid medium"),
    ],
)
def test_a_bad_request_is_refused_whole(sandbox: SandboxClient, path: str, body: Any, message: str) -> None:
    response = post(sandbox, path, body)
    assert response.status_code == 400
    assert response.json() == {"error": {"name": "Bad Request", "message": message}}
    assert outcomes(sandbox) == []


def test_a_body_that_is_no_object_is_a_bad_request(sandbox: SandboxClient) -> None:
    assert post(sandbox, LINKS, ["no object"]).status_code == 400


def test_an_unknown_path_is_not_found(sandbox: SandboxClient) -> None:
    assert post(sandbox, "/v2/api/nowhere", {}).json() == {"error": {"name": "Not Found", "message": "Not Found"}}


# -- sending


@pytest.mark.parametrize("path", [SEND, SEND_NEW])
@pytest.mark.parametrize(("medium", "needed"), [(1, "mobile"), (2, "email"), (3, "mobile")])
def test_each_medium_needs_its_address(sandbox: SandboxClient, path: str, medium: int, needed: str) -> None:
    addresses = {"mobile": "+447700900001", "email": "ada@example.com"}
    other = next(name for name in addresses if name != needed)
    contacts = [{needed: addresses[needed]}, {other: addresses[other]}]
    body = post(sandbox, path, {"collectortoken": "E/f1a0f500", "medium": medium, "contacts": contacts}).json()
    assert (body["accepted"], body["rejected"], body["data"]) == (1, 1, [])
    assert body["rejected_list"] == [{other: addresses[other], "message": f"{needed} is mandatory"}]
    assert outcomes(sandbox) == [(addresses[needed], "accepted"), (addresses[other], "rejected")]


# -- responses


def export(sandbox: SandboxClient, query: str = "", **filters: Any) -> dict[str, Any]:
    response = post(sandbox, EXPORT + query, {"survey_id": "s1", "data_structure": "flat", **filters})
    response.raise_for_status()
    body: dict[str, Any] = response.json()
    return body


@pytest.fixture
def answered(sandbox: SandboxClient) -> SandboxClient:
    keys = ["complete-1", "partial-1", "disqualified-1"]
    post(sandbox, LINKS, {"contacts": [{"extUniqueId": key} for key in keys]})
    post(sandbox, LINKS.replace(COLLECTOR, "another"), {"contacts": [{"extUniqueId": "complete-2"}]})
    sandbox.clock(advance=60)
    return sandbox


def test_contacts_answer_on_the_clock(sandbox: SandboxClient) -> None:
    post(sandbox, LINKS, {"contacts": [{"extUniqueId": "1"}]})
    assert export(sandbox) == {"data": [], "total": 0}
    sandbox.clock(advance=60)
    body = export(sandbox)
    assert (body["total"], body["data"][0]["extUniqueId"]) == (1, "1")
    assert body["data"][0]["survey_id"] == "s1"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["complete-1", "partial-1", "disqualified-1", "complete-2"]),
        ({"response_status": [1]}, ["complete-1", "complete-2"]),
        ({"response_status": [0, 2]}, ["partial-1", "disqualified-1"]),
        ({"collector_ids": [export_id(COLLECTOR)]}, ["complete-1", "partial-1", "disqualified-1"]),
        ({"collector_ids": ["another"]}, ["complete-2"]),
        ({"collector_ids": [export_id("nobody's")]}, []),
        ({"date_filter": {"operand": ["2000-01-01", "2000-01-02"], "type": "between"}}, []),
        (
            {"date_filter": {"operand": ["2000-01-01", "2999-01-01"], "type": "between"}, "response_status": [0]},
            ["partial-1"],
        ),
        ({"time_filter": {"start": "2000-01-01 00:00:00", "end": "2000-01-02 00:00:00"}}, []),
        ({"time_filter": {"start": "2000-01-01 00:00:00"}, "response_status": [2]}, ["disqualified-1"]),
    ],
)
def test_responses_are_filtered(answered: SandboxClient, filters: dict[str, Any], found: list[str]) -> None:
    body = export(answered, **filters)
    assert [row["extUniqueId"] for row in body["data"]] == found
    assert body["total"] == len(found)


def test_responses_come_in_pages(answered: SandboxClient) -> None:
    pages = [export(answered, f"?page={page}&page_size=3") for page in (1, 2, 3)]
    assert [len(page["data"]) for page in pages] == [3, 1, 0]
    assert {page["total"] for page in pages} == {4}


def test_responses_may_be_added_by_hand(sandbox: SandboxClient) -> None:
    sandbox.control("xebo", answers=300, collector=COLLECTOR)
    body = export(sandbox, collector_ids=[COLLECTOR])
    assert (body["total"], len(body["data"])) == (300, 250)


@pytest.mark.parametrize(
    ("query", "body", "status", "error"),
    [
        ("", {}, 400, "invalid"),
        ("?page=0", {"survey_id": "s1"}, 400, "invalid"),
        ("?page_size=all", {"survey_id": "s1"}, 400, "invalid"),
        ("", {"survey_id": "s1", "date_filter": {"operand": ["01/02/2026", "02/02/2026"]}}, 400, "invalid"),
        ("", {"survey_id": "s1", "date_filter": {"operand": [1, 2]}}, 400, "invalid"),
        ("", {"survey_id": "unknown"}, 404, "not_found"),
    ],
)
def test_the_exports_errors_have_the_v3_envelope(
    sandbox: SandboxClient, query: str, body: dict[str, Any], status: int, error: str
) -> None:
    response = post(sandbox, EXPORT + query, body)
    assert response.status_code == status
    assert (response.json()["success"], response.json()["code"], response.json()["error"]) == (False, status, error)


def test_the_export_needs_credentials(sandbox: SandboxClient) -> None:
    response = post(sandbox, EXPORT, {"survey_id": "s1"}, {})
    assert (response.status_code, response.json()["error"]) == (401, "AUTHENTICATION_ERROR")
    assert response.json()["message"] == NOT_PROVIDED

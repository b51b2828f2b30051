"""Xtremepush in the sandbox, as its pages have it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient

TOKEN = "xtremepush-sandbox-token"
SUCCESS = {"code": 200, "success": True}


def post(sandbox: SandboxClient, call: str, **body: Any) -> requests.Response:
    return requests.post(f"{sandbox.url}/xtremepush/api/external/{call}", json={"apptoken": TOKEN, **body}, timeout=5)


def received(sandbox: SandboxClient) -> list[tuple[str, str, str]]:
    contacts = sandbox.received("xtremepush")["contacts"]
    return [(contact["campaign"], contact["contact"], contact["outcome"]) for contact in contacts]


@pytest.mark.parametrize(
    "call",
    [
        "execute/campaign",
        "info/campaign",
        "list/campaign",
        "list/profile",
        "list/push-devices",
        "list/profile-subscription",
    ],
)
def test_a_wrong_token_is_refused(sandbox: SandboxClient, call: str) -> None:
    response = post(sandbox, call, apptoken="wrong", id="7", target=["ada"], target_by="user_id")
    assert response.status_code == 401
    assert (response.json()["code"], response.json()["success"]) == (401, False)
    assert response.json()["errors"] == [response.json()["message"]]
    assert received(sandbox) == []


def test_every_call_is_a_post(sandbox: SandboxClient) -> None:
    response = requests.get(f"{sandbox.url}/xtremepush/api/external/list/profile", timeout=5)
    assert (response.status_code, response.json()["code"]) == (405, 405)


def test_targets_are_executed(sandbox: SandboxClient) -> None:
    response = post(sandbox, "execute/campaign", id="7", target=["ada", "bo"], target_by="user_id")
    assert (response.status_code, response.json()) == (200, SUCCESS)
    assert received(sandbox) == [("7", "ada", "accepted"), ("7", "bo", "accepted")]


def test_targets_may_have_params_of_their_own_and_shared_ones(sandbox: SandboxClient) -> None:
    shared = {"external_message_id": "987654321"}
    own = {"ada": {"fname": "Ada"}, "bo": {"fname": "Bo"}}
    post(sandbox, "execute/campaign", id=7, target_with_params=own, params=shared, target_by="user_id")
    contacts = sandbox.received("xtremepush")["contacts"]
    assert [(contact["contact"], contact["fields"]["target_params"]) for contact in contacts] == list(own.items())
    assert {contact["fields"]["params"]["external_message_id"] for contact in contacts} == {"987654321"}


def test_without_target_by_targets_are_device_ids(sandbox: SandboxClient) -> None:
    assert post(sandbox, "execute/campaign", id="7", target=["ada", 123456]).json() == SUCCESS
    assert received(sandbox) == [("7", "ada", "rejected"), ("7", "123456", "accepted")]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"id": "unknown1", "target": ["ada"]}, 404, "Campaign not found"),
        ({"id": "draft1", "target": ["ada"]}, 400, "Campaign is not active"),
        ({"target": ["ada"]}, 400, "Campaign id is not set"),
        ({"id": "7"}, 400, "Set either target or target_with_params"),
        ({"id": "7", "target": []}, 400, "Set either target or target_with_params"),
        ({"id": "7", "target": "ada"}, 400, "Set either target or target_with_params"),
        (
            {"id": "7", "target": ["ada"], "target_with_params": {"bo": {}}},
            400,
            "Set either target or target_with_params",
        ),
        ({"id": "7", "target": ["ada"], "target_by": "shoe size"}, 400, "Invalid target_by"),
        ({"id": "7", "target": [str(number) for number in range(1001)]}, 400, "More than 1000 targets"),
    ],
)
def test_a_bad_execution_is_refused_whole(
    sandbox: SandboxClient, body: dict[str, Any], status: int, message: str
) -> None:
    response = post(sandbox, "execute/campaign", **{"target_by": "user_id", **body})
    assert response.status_code == status
    assert response.json() == {"code": status, "success": False, "message": message, "errors": [message]}
    assert received(sandbox) == []


def test_a_thousand_targets_are_taken(sandbox: SandboxClient) -> None:
    targets = [f"user{number}" for number in range(1000)]
    assert post(sandbox, "execute/campaign", id="7", target=targets, target_by="user_id").json() == SUCCESS
    assert len(received(sandbox)) == 1000


def test_errors_may_hide_in_a_200(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", always_200=True)
    response = post(sandbox, "execute/campaign", id="unknown1", target=["ada"], target_by="user_id")
    assert (response.status_code, response.json()["code"], response.json()["success"]) == (200, 404, False)


def active(sandbox: SandboxClient, campaign: str) -> int:
    body = post(sandbox, "info/campaign", id=campaign, select=["active"]).json()
    assert body == {**SUCCESS, "model": {"active": body["model"]["active"]}}
    flag: int = body["model"]["active"]
    return flag


def test_a_campaign_reports_whether_it_is_live(sandbox: SandboxClient) -> None:
    assert (active(sandbox, "7"), active(sandbox, "draft1")) == (1, 0)
    sandbox.control("xtremepush", campaign="7", active=0)
    assert active(sandbox, "7") == 0
    sandbox.control("xtremepush", campaign="7", active=1)
    assert active(sandbox, "7") == 1


def test_a_campaign_may_show_a_state_that_no_page_has(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", campaign="7", active=7)
    assert active(sandbox, "7") == 7
    response = post(sandbox, "execute/campaign", id="7", target=["ada"], target_by="user_id")
    assert (response.status_code, response.json()["message"]) == (400, "Campaign is not active")
    sandbox.control("xtremepush", campaign="7", active=1)
    assert active(sandbox, "7") == 1


def test_a_campaign_may_go_live_on_the_clock(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", campaign="7", live_in=60)
    assert active(sandbox, "7") == 0
    sandbox.clock(advance=60)
    assert active(sandbox, "7") == 1


def test_a_model_without_select_is_whole(sandbox: SandboxClient) -> None:
    model = post(sandbox, "info/campaign", id="7").json()["model"]
    assert model == {"id": "7", "title": "Campaign 7", "trigger": 3, "active": 1}


def test_campaigns_are_listed_by_condition_and_page(sandbox: SandboxClient) -> None:
    for campaign in ("1", "2", "draft3"):
        active(sandbox, campaign)
    assert [model["id"] for model in post(sandbox, "list/campaign").json()["data"]] == ["1", "2", "draft3"]
    live = post(sandbox, "list/campaign", condition=[["active", "=", 1]], select=["id"]).json()["data"]
    assert live == [{"id": "1"}, {"id": "2"}]
    page = post(sandbox, "list/campaign", limit=1, offset=1, select=["id"]).json()["data"]
    assert page == [{"id": "2"}]


def test_profiles_can_be_listed_as_a_check(sandbox: SandboxClient) -> None:
    assert len(post(sandbox, "list/profile", limit=1).json()["data"]) == 1


def test_messages_are_listed_with_their_errors(sandbox: SandboxClient) -> None:
    post(sandbox, "execute/campaign", id="7", target=["ada", "unregistered-1"], target_by="user_id")
    post(sandbox, "execute/campaign", id="8", target=[123456], target_by="id")
    page = {"condition": [["campaign_id", "=", 7]], "limit": 1, "offset": 1}

    (row,) = post(sandbox, "list/push-devices", **page).json()["data"]
    assert (row["user_id"], row["error"], row["error_message"]) == ("unregistered-1", 1, "DEVICE_UNREGISTERED")

    sandbox.control("xtremepush", push_devices="devices")
    rows = post(sandbox, "list/push-devices").json()["data"]
    assert [(row["campaign_id"], row["error"]) for row in rows] == [(7, 0), (7, 1), (8, 0)]
    assert [*rows[0]] == ["action_id", "campaign_id", "create_time", "device_id", "error", "error_message"]
    assert rows[2]["device_id"] == "123456"


def test_changes_of_subscriptions_are_listed_once_there_are_any(sandbox: SandboxClient) -> None:
    assert post(sandbox, "list/profile-subscription").json()["data"] == []
    sandbox.control("xtremepush", subscription={"user_id": "u1", "channel": "sms", "update_time": 100})
    sandbox.control("xtremepush", subscription={"user_id": "u1", "channel": "sms", "update_time": 200, "status": 1})
    later = post(sandbox, "list/profile-subscription", condition=[["update_time", ">", 100]]).json()["data"]
    assert [(row["user_id"], row["status"]) for row in later] == [("u1", 1)]
    mine = post(sandbox, "list/profile-subscription", condition=[["user_id", "=", "u1"]], limit=1, offset=0)
    assert [row["status"] for row in mine.json()["data"]] == [0]

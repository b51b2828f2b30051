"""An Exotel campaign of the sandbox: how it continues, and how it and its calls are listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.sandbox.exotel_calls import (
    BASE,
    BUSY,
    DAY,
    FAILING,
    GOOD,
    MINUTE,
    NO_ANSWER,
    START,
    act,
    call,
    created,
    read,
    status,
)

# -- how a campaign continues


def test_a_campaign_proceeds_by_the_clock(sandbox: SandboxClient) -> None:
    identifier = created(sandbox, **{"from": [GOOD, BUSY, FAILING]}, mode="custom", throttle=1)
    assert status(sandbox, identifier) == "Created"
    sandbox.clock(advance=START + MINUTE)
    item = read(sandbox, identifier)
    assert item["data"]["status"] == "InProgress"
    assert (item["data"]["stats"]["completed"], item["data"]["stats"]["in-progress"]) == (1, 2)
    assert "report_url" not in item["data"]
    assert item["summary"] == {
        "campaign_sid": identifier,
        "call_scheduled": 3,
        "call_initialized": 1,
        "call_completed": 1,
        "call_failed": 0,
        "call_inprogress": 2,
        "DateCreated": item["data"]["date_created"],
    }
    sandbox.clock(advance=2 * MINUTE)
    item = read(sandbox, identifier)
    assert item["data"]["status"] == "Completed"
    assert (item["data"]["stats"]["completed"], item["data"]["stats"]["failed"]) == (1, 2)
    assert item["data"]["report_url"].endswith(f"{identifier}.csv")


def test_a_status_may_be_shown_in_place_of_its_own(sandbox: SandboxClient) -> None:
    identifier = created(sandbox)
    sandbox.control("exotel", campaign=identifier, status="Reviewing")
    assert status(sandbox, identifier) == "Reviewing"
    assert call(sandbox, "GET", "/campaigns", status="Created").json()["response"] == []
    sandbox.control("exotel", campaign=identifier, status="")
    assert status(sandbox, identifier) == "Created"
    with pytest.raises(ValueError, match="there is no campaign 'another'"):
        sandbox.control("exotel", campaign="another", status="Paused")


def test_a_campaign_waits_for_its_time(sandbox: SandboxClient) -> None:
    send_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    identifier = created(sandbox, schedule={"send_at": send_at})
    sandbox.clock(advance=START + MINUTE)
    assert status(sandbox, identifier) == "Created"
    sandbox.clock(advance=3600)
    assert status(sandbox, identifier) == "Completed"


def test_a_campaign_of_failing_calls_fails(sandbox: SandboxClient) -> None:
    identifier = created(sandbox, **{"from": [FAILING]})
    sandbox.clock(advance=START + MINUTE)
    assert status(sandbox, identifier) == "Failed"


def test_a_campaign_past_its_end_is_completed_in_part(sandbox: SandboxClient) -> None:
    now = datetime.now(UTC)
    schedule = {"send_at": now.isoformat(), "end_at": (now + timedelta(seconds=START + 150)).isoformat()}
    numbers = [f"+4477009000{number:02d}" for number in range(10)]
    identifier = created(sandbox, schedule=schedule, mode="custom", throttle=1, **{"from": numbers})
    sandbox.clock(advance=DAY)
    data = read(sandbox, identifier)["data"]
    assert data["status"] == "Completed"
    assert (data["stats"]["completed"], data["stats"]["failed-no-attempt"]) == (2, 8)


def running(sandbox: SandboxClient) -> str:
    """Return a campaign that calls ten numbers, one a minute, and has called the first."""
    numbers = [f"+4477009000{number:02d}" for number in range(10)]
    identifier = created(sandbox, mode="custom", throttle=1, **{"from": numbers})
    sandbox.clock(advance=START + MINUTE)
    return identifier


def test_a_paused_campaign_continues_where_it_stopped(sandbox: SandboxClient) -> None:
    identifier = running(sandbox)
    assert act(sandbox, identifier, action="pause")["data"]["status"] == "Paused"
    sandbox.clock(advance=DAY)
    stats = read(sandbox, identifier)["data"]["stats"]
    assert (stats["completed"], stats["paused"]) == (1, 9)
    assert act(sandbox, identifier, action="resume")["data"]["status"] == "InProgress"
    sandbox.clock(advance=9 * MINUTE)
    assert read(sandbox, identifier)["data"]["stats"]["completed"] == 10
    assert status(sandbox, identifier) == "Completed"


def test_a_campaign_paused_before_its_start_is_created_again(sandbox: SandboxClient) -> None:
    identifier = created(sandbox)
    act(sandbox, identifier, action="pause")
    assert act(sandbox, identifier, action="resume")["data"]["status"] == "Created"


def test_a_paused_campaign_can_be_completed(sandbox: SandboxClient) -> None:
    identifier = running(sandbox)
    act(sandbox, identifier, action="pause")
    data = act(sandbox, identifier, action="complete")["data"]
    assert (data["status"], data["stats"]["failed-no-attempt"]) == ("Completed", 9)
    assert act(sandbox, identifier, action="archive")["data"]["status"] == "Archived"


def test_a_paused_campaign_is_canceled_at_its_end(sandbox: SandboxClient) -> None:
    identifier = running(sandbox)
    act(sandbox, identifier, action="pause")
    sandbox.clock(advance=31 * DAY)
    assert status(sandbox, identifier) == "Canceled"


@pytest.mark.parametrize("action", ["resume", "complete", "archive"])
def test_an_action_that_the_status_does_not_allow_is_a_conflict(sandbox: SandboxClient, action: str) -> None:
    identifier = running(sandbox)
    item = act(sandbox, identifier, action=action)
    assert (item["code"], item["status"]) == (409, "failure")
    assert status(sandbox, identifier) == "InProgress"


def test_an_unknown_action_is_refused(sandbox: SandboxClient) -> None:
    assert act(sandbox, created(sandbox), action="explode")["code"] == 400


def test_fields_change_until_send_at(sandbox: SandboxClient) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    identifier = created(sandbox, schedule={"send_at": later})
    assert act(sandbox, identifier, name="Other name")["data"]["name"] == "Other name"
    assert act(sandbox, identifier, caller_id="")["code"] == 400
    sandbox.clock(advance=3601)
    assert act(sandbox, identifier, name="Too late")["code"] == 400
    callback = "http://example.com/callback"
    assert act(sandbox, identifier, status_callback=callback)["data"]["status_callback"] == callback
    assert read(sandbox, identifier)["data"]["name"] == "Other name"


def test_a_campaign_can_be_deleted_before_it_starts(sandbox: SandboxClient) -> None:
    identifier = created(sandbox)
    assert call(sandbox, "DELETE", f"/campaigns/{identifier}").status_code == 200
    assert status(sandbox, identifier) == "Deleted"
    started = running(sandbox)
    response = call(sandbox, "DELETE", f"/campaigns/{started}")
    assert (response.status_code, response.json()["response"]["code"]) == (409, 409)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/call-details")])
def test_an_unknown_campaign_is_not_found(sandbox: SandboxClient, method: str, path: str) -> None:
    response = call(sandbox, method, f"/campaigns/nobody{path}", {"campaigns": [{"action": "pause"}]})
    assert (response.status_code, response.json()["response"]["error_data"]["code"]) == (404, 404)


# -- lists of campaigns


def names(sandbox: SandboxClient, **query: Any) -> list[str]:
    return [item["data"]["name"] for item in call(sandbox, "GET", "/campaigns", **query).json()["response"]]


@pytest.fixture
def several(sandbox: SandboxClient) -> SandboxClient:
    """Three campaigns: one Completed, one Paused, one Created."""
    created(sandbox, name="Beta")
    sandbox.clock(advance=START + MINUTE)
    act(sandbox, created(sandbox, name="Alpha"), action="pause")
    created(sandbox, name="Gamma ray")
    return sandbox


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Beta", "Alpha", "Gamma ray"]),
        ({"status": "Created"}, ["Gamma ray"]),
        ({"status": "Created,Completed"}, ["Beta", "Gamma ray"]),
        ({"status": "created, completed"}, ["Beta", "Gamma ray"]),
        ({"status": "in-progress, paused"}, ["Alpha"]),
        ({"status": "InProgress"}, []),
        ({"name": "gamma"}, ["Gamma ray"]),
        ({"sort_by": "date_created:desc"}, ["Gamma ray", "Alpha", "Beta"]),
        ({"sort_by": "name:asc"}, ["Alpha", "Beta", "Gamma ray"]),
        ({"sort_by": "name:desc"}, ["Gamma ray", "Beta", "Alpha"]),
        ({"offset": 1}, ["Alpha", "Gamma ray"]),
        ({"offset": 1, "limit": 1}, ["Alpha"]),
    ],
)
def test_campaigns_are_listed(several: SandboxClient, query: dict[str, Any], found: list[str]) -> None:
    assert names(several, **query) == found


def test_a_list_reports_where_it_is(several: SandboxClient) -> None:
    body = call(several, "GET", "/campaigns", offset=1, limit=1).json()
    assert body["metadata"] == {"count": 1, "offset": 1, "total": 3, "limit": 1}


def test_pages_have_20_campaigns_and_at_most_500(sandbox: SandboxClient) -> None:
    call(sandbox, "POST", "/campaigns", {"campaigns": [BASE] * 501})
    assert len(names(sandbox)) == 20
    assert len(names(sandbox, limit=1000)) == 500
    assert call(sandbox, "GET", "/campaigns", limit=0).status_code == 400
    assert call(sandbox, "GET", "/campaigns", offset="first").status_code == 400


# -- call details


def test_calls_are_listed(sandbox: SandboxClient) -> None:
    identifier = created(sandbox, **{"from": [GOOD, BUSY, NO_ANSWER, FAILING]})
    path = f"/campaigns/{identifier}/call-details"
    assert call(sandbox, "GET", path).json()["response"] == []
    sandbox.clock(advance=START + MINUTE)
    items = call(sandbox, "GET", path).json()["response"]
    assert [item["data"]["status"] for item in items] == ["completed", "busy", "no-answer", "failed"]
    assert set(items[0]["data"]) == {
        *("name", "number", "duration", "date_created", "status", "digits", "recording_url", "start_time"),
        *("end_time", "caller_id", "direction", "call_sid"),
    }
    (busy,) = call(sandbox, "GET", path, status="busy").json()["response"]
    assert busy["data"]["number"] == BUSY
    reverse = call(sandbox, "GET", path, sort_by="date_created:desc", limit=1).json()
    assert reverse["response"][0]["data"]["number"] == FAILING
    assert reverse["metadata"]["total"] == 4


def test_calls_may_be_listed_flat(sandbox: SandboxClient) -> None:
    sandbox.control("exotel", call_details="flat")
    identifier = created(sandbox)
    sandbox.clock(advance=START + MINUTE)
    (item,) = call(sandbox, "GET", f"/campaigns/{identifier}/call-details").json()["response"]
    assert item["number"] == GOOD

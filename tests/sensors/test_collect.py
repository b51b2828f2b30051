"""CollectRequestSensor against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from tests.connections import calls, connect
from tests.sensors.watching import defer

CAMPAIGN = "xvr69EYLKXvTkfYuk"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "collect")


def wait(**changes: Any) -> CollectRequestSensor:
    return CollectRequestSensor(**{"task_id": "wait", "poke_interval": 0.02, **changes})


def send(*names: str) -> list[str]:
    """Send a request to each name at example.com; the sandbox reads in the name what becomes of it."""
    contacts = [{"email": f"{name}@example.com"} for name in names]
    reply = wait().hook.send_requests(CAMPAIGN, contacts)
    return [request["_id"] for request in reply["requests"]]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_completed_request_is_seen_with_the_first_look(sandbox: SandboxClient, deferrable: bool) -> None:
    (request,) = send("jo")
    sandbox.clock(advance=61)
    result = wait(request_id=request, deferrable=deferrable).execute({})
    assert result == {"status": "completed", "counts": {"completed": 1}, "requests": {request: "completed"}}
    assert calls(sandbox, "collect") == ["bulk", "get_request"]


def test_poking_waits_until_all_are_completed(sandbox: SandboxClient) -> None:
    requests = send("jo", "mo")
    sandbox.clock(speed=600)
    result = wait(request_ids=requests).execute({})
    assert result == {
        "status": "2 completed",
        "counts": {"completed": 2},
        "requests": dict.fromkeys(requests, "completed"),
    }
    assert calls(sandbox, "collect").count("get_request") > 2


def test_the_trigger_waits_until_all_are_completed(sandbox: SandboxClient) -> None:
    requests = send("jo", "mo")
    sandbox.clock(speed=600)
    sensor = wait(request_ids=requests, deferrable=True)
    assert sensor.execute_complete({}, defer(sensor))["counts"] == {"completed": 2}


@pytest.mark.parametrize("status", ["error", "cancelled", "archived"])
def test_one_that_never_will_be_fails_it_for_good(sandbox: SandboxClient, status: str) -> None:
    request, other = send("jo", "mo")
    sandbox.control("collect", request=request, status=status)
    with pytest.raises(CampaignFailed, match=f"1 {status}") as failed:
        wait(request_ids=[request, other]).execute({})
    assert isinstance(failed.value, AirflowFailException)


def test_a_failure_is_seen_by_the_trigger(sandbox: SandboxClient) -> None:
    (request,) = send("error")
    sandbox.clock(speed=600)
    sensor = wait(request_id=request, deferrable=True)
    event = defer(sensor)
    assert (event["state"], event["status"]) == ("failed", "error")
    with pytest.raises(CampaignFailed, match="ended as error"):
        sensor.execute_complete({}, event)


@pytest.mark.parametrize("status", ["due", "waiting", "with the notary"])
def test_another_status_is_waited_for(sandbox: SandboxClient, status: str) -> None:
    (request,) = send("jo")
    sandbox.control("collect", request=request, status=status)
    with pytest.raises(AirflowSensorTimeout):
        wait(request_id=request, timeout=0).execute({})


def test_its_timeout_counts_in_the_trigger_too() -> None:
    (request,) = send("pending")
    sensor = wait(request_id=request, deferrable=True, timeout=0)
    event = defer(sensor)
    assert (event["state"], event["status"]) == ("timeout", "pending")
    with pytest.raises(AirflowSensorTimeout, match="the last status was 'pending'"):
        sensor.execute_complete({}, event)


def test_an_error_of_the_trigger_is_raised(sandbox: SandboxClient) -> None:
    (request,) = send("jo")
    sandbox.fault("unauthorized", vendor="collect", method="GET", skip=1)
    sensor = wait(request_id=request, deferrable=True)
    with pytest.raises(CampaignError, match="Your API key is wrong"):
        sensor.execute_complete({}, defer(sensor))


def test_an_unknown_request_fails_at_once(sandbox: SandboxClient) -> None:
    with pytest.raises(CallRefusedError, match="could not be found"):
        wait(request_id="another", deferrable=True).execute({})
    assert calls(sandbox, "collect") == ["get_request"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "request_id: expected either request_id or request_ids, got neither"),
        ({"request_ids": []}, "request_id: expected either request_id or request_ids, got neither"),
        ({"request_id": "r-1", "request_ids": ["r-1"]}, "request_id: expected either .*, got both"),
        ({"request_ids": "r-1"}, "request_ids: expected a list"),
    ],
)
def test_what_is_waited_for_is_one_request_or_a_list(
    sandbox: SandboxClient, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        wait(**parameters).execute({})
    assert sandbox.received()["requests"] == []


def test_its_fields_are_templates() -> None:
    sensor = wait(request_ids="{{ requests | tojson }}", collect_conn_id="collect_{{ country }}")
    sensor.render_template_fields({"requests": ["r-1", "r-2"], "country": "fr"})
    assert sensor.arguments() == {"request_ids": ["r-1", "r-2"]}
    assert sensor.hook.conn_id == "collect_fr"
    one = wait(request_id="{{ request }}")
    one.render_template_fields({"request": "r-1"})
    assert one.arguments() == {"request_ids": ["r-1"]}

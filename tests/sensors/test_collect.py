"""CollectRequestSensor against the sandbox: what is not in the shared table of behaviours."""

from __future__ import annotations

from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from tests.connections import connect
from tests.triggering import event_of

CAMPAIGN = "xvr69EYLKXvTkfYuk"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "collect")


def wait(**changes: Any) -> CollectRequestSensor:
    return CollectRequestSensor(**{"task_id": "wait", "poke_interval": 0.02, **changes})


def send(*names: str) -> list[str]:
    """Send a request to each name at example.com; the sandbox reads in the name what becomes of it."""
    contacts = [{"email": f"{name}@example.com"} for name in names]
    reply = CollectHook().send_requests(CAMPAIGN, contacts)
    return [request["_id"] for request in reply["requests"]]


def test_poking_waits_until_all_are_completed(sandbox: SandboxClient) -> None:
    requests = send("jo", "mo")
    sandbox.clock(speed=600)
    result = wait(request_ids=requests).execute({})
    assert result == {
        "status": "2 completed",
        "counts": {"completed": 2},
        "requests": dict.fromkeys(requests, "completed"),
    }


def test_the_trigger_waits_until_all_are_completed(sandbox: SandboxClient) -> None:
    requests = send("jo", "mo")
    sensor = wait(request_ids=requests, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    sandbox.clock(speed=600)
    assert sensor.execute_complete({}, event_of(deferred.value.trigger))["counts"] == {"completed": 2}


@pytest.mark.parametrize("status", ["error", "cancelled", "archived"])
def test_one_that_never_will_be_fails_it_whatever_the_others_do(sandbox: SandboxClient, status: str) -> None:
    request, other = send("jo", "mo")
    sandbox.control("collect", request=request, status=status)
    with pytest.raises(CampaignFailed, match=f"1 {status}, 1 pending"):
        wait(request_ids=[request, other]).execute({})


@pytest.mark.parametrize("status", ["due", "waiting", "with the notary"])
def test_another_status_is_waited_for(sandbox: SandboxClient, status: str) -> None:
    (request,) = send("jo")
    sandbox.control("collect", request=request, status=status)
    with pytest.raises(AirflowSensorTimeout):
        wait(request_id=request, timeout=0).execute({})


@pytest.mark.parametrize(("status", "known"), [("due", True), ("waiting", True), ("with the notary", False)])
def test_only_a_status_of_the_accounts_own_is_reported(
    sandbox: SandboxClient, status: str, *, known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    request, other = send("jo", "mo")
    sandbox.control("collect", request=request, status=status)
    wait(request_ids=[request, other]).poke({})
    assert ("'with the notary' is no status that the vendor documents" in caplog.text) is not known


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "receipt, request_id, request_ids: expected exactly one of them, got none"),
        ({"request_ids": []}, "receipt, request_id, request_ids: expected exactly one of them, got none"),
        ({"request_id": "r-1", "request_ids": ["r-1"]}, "exactly one of them, got request_id and request_ids"),
        ({"request_id": "r-1", "receipt": {"vendor": "collect"}}, "exactly one of them, got receipt and request_id"),
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
    sensor.render_template_fields(cast("Any", {"requests": ["r-1", "r-2"], "country": "fr"}))
    assert sensor.arguments() == {"request_ids": ["r-1", "r-2"]}
    assert sensor.hook.conn_id == "collect_fr"
    one = wait(request_id="{{ request }}")
    one.render_template_fields(cast("Any", {"request": "r-1"}))
    assert one.arguments() == {"request_ids": ["r-1"]}

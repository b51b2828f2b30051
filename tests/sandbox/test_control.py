"""The control API and the client for it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient

VENDORS = ["collect", "exotel", "ozonetel", "xebo", "xtremepush"]


def execute(sandbox: SandboxClient, query: str = "") -> requests.Response:
    body = {"apptoken": "xtremepush-sandbox-token", "id": "7", "target_by": "user_id", "target": ["ada"]}
    return requests.post(f"{sandbox.url}/xtremepush/api/external/execute/campaign{query}", json=body, timeout=5)


def control(sandbox: SandboxClient, path: str, body: Any) -> requests.Response:
    return requests.post(f"{sandbox.url}/_sandbox/{path}", json=body, timeout=5)


def test_help_names_what_there_is(sandbox: SandboxClient) -> None:
    body = requests.get(f"{sandbox.url}/_sandbox/", timeout=5).json()
    assert body["vendors"] == VENDORS
    assert "hang-after" in body["faults"]
    assert any("received" in call for call in body["calls"])


def test_requests_and_contacts_are_written_down(sandbox: SandboxClient) -> None:
    execute(sandbox, "?a=1")
    received = sandbox.received()
    assert received["requests"] == [
        {
            "seq": 1,
            "vendor": "xtremepush",
            "call": "execute",
            "method": "POST",
            "path": "/xtremepush/api/external/execute/campaign",
            "query": "a=1",
            "status": 200,
            "fault": None,
            "contacts": 1,
            "contacts_received": ["ada"],
        }
    ]
    assert received["contacts"] == [
        {
            "seq": 1,
            "vendor": "xtremepush",
            "call": "execute",
            "request": 1,
            "campaign": "7",
            "contact": "ada",
            "outcome": "accepted",
            "fields": {"target_by": "user_id", "target_params": {}},
        }
    ]
    assert received["counts"] == {"xtremepush": {"accepted": 1, "duplicate": 0, "rejected": 0, "requests": 1}}


def test_one_vendors_journal_can_be_read(sandbox: SandboxClient) -> None:
    execute(sandbox)
    assert sandbox.received("xebo") == {"contacts": [], "requests": [], "counts": {}}
    assert sandbox.received("xtremepush") == sandbox.received()


def test_the_counts_can_be_asked_for_alone(sandbox: SandboxClient) -> None:
    before = sandbox.counts("xtremepush")
    execute(sandbox)
    assert before == {"accepted": 0, "duplicate": 0, "rejected": 0, "requests": 0}
    assert sandbox.counts("xtremepush") == before | {"accepted": 1, "requests": 1}
    assert sandbox.counts("xebo") == before


def test_requests_to_unknown_paths_are_written_down(sandbox: SandboxClient) -> None:
    assert requests.get(f"{sandbox.url}/xtremepush/nowhere", timeout=5).status_code == 404
    (request,) = sandbox.received()["requests"]
    assert (request["path"], request["status"], request["contacts"]) == ("/xtremepush/nowhere", 404, 0)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [400, 404, 405, 500, 503])
def test_every_vendor_has_words_for_every_error(sandbox: SandboxClient, vendor: str, status: int) -> None:
    faults = {400: "refuse", 500: "500", 503: "503"}
    if status in faults:
        sandbox.fault(faults[status])
    method = "PATCH" if status == 405 else "GET"
    paths = {
        "collect": "/v1/team",
        "exotel": "/v2/accounts/sandbox1/campaigns",
        "ozonetel": "/ca_apis/campaignStatus",
        "xebo": "/api/v1/oauth/token",
        "xtremepush": "/api/external/list/profile",
    }
    path = paths[vendor] if status == 405 else "/nowhere"
    response = requests.request(method, f"{sandbox.url}/{vendor}{path}", timeout=5)
    assert response.status_code == status
    assert isinstance(response.json(), dict)


def test_the_clock_is_moved_and_sped_up(sandbox: SandboxClient) -> None:
    before = sandbox.clock()
    after = sandbox.clock(advance=3600)
    assert after - before >= 3600
    sandbox.clock(speed=60)
    assert requests.get(f"{sandbox.url}/_sandbox/clock", timeout=5).json()["speed"] == 60


def test_settings_are_listed_and_changed(sandbox: SandboxClient) -> None:
    url = f"{sandbox.url}/_sandbox/vendors/ozonetel"
    assert requests.get(url, timeout=5).json()["auth_mode"] == "TOKEN_AUTH"
    assert sandbox.control("ozonetel", auth_mode="BASIC_AUTH", seconds_per_lead=2)["seconds_per_lead"] == 2
    assert requests.get(url, timeout=5).json()["auth_mode"] == "BASIC_AUTH"


@pytest.mark.parametrize(
    ("vendor", "command", "problem"),
    [
        ("ozonetel", {"colour": "red"}, "ozonetel has no setting 'colour'; it has auth_mode"),
        ("ozonetel", {"auth_mode": "OAUTH"}, "auth_mode is one of TOKEN_AUTH, BASIC_AUTH, NONE, not 'OAUTH'"),
        ("ozonetel", {"http_errors": "yes"}, "http_errors is of type bool, not 'yes'"),
        ("ozonetel", {"seconds_per_lead": True}, "seconds_per_lead is of type float, not True"),
        ("acme", {"a": 1}, "no vendor 'acme'; there are collect, exotel"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(
    sandbox: SandboxClient, vendor: str, command: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        sandbox.control(vendor, **command)


def test_no_setting_changes_if_one_is_wrong(sandbox: SandboxClient) -> None:
    with pytest.raises(ValueError, match="no setting"):
        sandbox.control("ozonetel", http_errors=True, colour="red")
    assert sandbox.control("ozonetel")["http_errors"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance": -1}),
        ("clock", {"speed": 0}),
        ("clock", {"date": "today"}),
        ("clock", [60]),
        ("latency", {}),
        ("latency", {"seconds": "long"}),
        ("faults", {}),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_with_a_reason(sandbox: SandboxClient, path: str, body: Any) -> None:
    response = control(sandbox, path, body)
    assert response.status_code == 400
    assert response.json()["error"]


def test_a_reset_forgets_everything(sandbox: SandboxClient) -> None:
    execute(sandbox)
    sandbox.control("xtremepush", campaign="7", active=0)
    sandbox.control("xtremepush", always_200=True)
    sandbox.fault("500", times=-1)
    sandbox.latency(0.05)
    later = sandbox.clock(advance=1_000_000)
    sandbox.reset()
    assert sandbox.received() == {"contacts": [], "requests": [], "counts": {}}
    assert requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json() == {"faults": []}
    assert sandbox.clock() < later
    assert sandbox.control("xtremepush") == {"always_200": False, "push_devices": "targets"}
    assert execute(sandbox).json() == {"code": 200, "success": True}

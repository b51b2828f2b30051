"""``only_recipients`` of a connection holds in the hook: nobody else can be contacted through it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, VendorError
from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.hooks.xebo import XeboHook
from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.connections import calls, connect, keep_tokens_in_memory

PATTERNS = "*@example.com, +4477009001*, dev-*"
DEV, REAL = "+447700900100", "+447700900993"
COLLECTOR = "5f0c1b2a3d4e5f6a7b8c9d0e"


def campaign(**recipients: Any) -> CreateCampaign:
    return CreateCampaign(name="Spring 01", caller_id="02025550100", read_via_text="Your parcel is here.", **recipients)


def push(**body: Any) -> dict[str, Any]:
    return {"id": 1, **body}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    for vendor in ("collect", "exotel", "ozonetel", "xebo", "xtremepush"):
        connect(monkeypatch, sandbox, vendor, extra={"only_recipients": PATTERNS})


REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "Xebo, by SMS": ("xebo", lambda: XeboHook().send(COLLECTOR, "", 1, [{"mobile": DEV}, {"mobile": REAL}])),
    "Xebo, an e-mail beside the number": (
        "xebo",
        lambda: XeboHook().send(COLLECTOR, "", 3, [{"mobile": REAL, "email": "a@example.com"}]),
    ),
    "Xebo, by e-mail": ("xebo", lambda: XeboHook().send(COLLECTOR, "", 2, [{"email": "real@customer.example"}])),
    "Xebo, nobody": ("xebo", lambda: XeboHook().send(COLLECTOR, "", 2, [{"extUniqueId": "dev-1"}])),
    "Collect, a contact": ("collect", lambda: CollectHook().send_request("c", {"email": "real@customer.example"})),
    "Collect, a contact's id": ("collect", lambda: CollectHook().send_request("c", "5f0c")),
    "Collect, many": (
        "collect",
        lambda: CollectHook().send_requests("c", [{"email": "a@example.com"}, {"email": "real@customer.example"}]),
    ),
    "Collect, a change": ("collect", lambda: CollectHook().update_request("r", status="completed")),
    "Xtremepush, a user": ("xtremepush", lambda: XtremepushHook().execute_campaign(push(target=["real-customer-1"]))),
    "Xtremepush, one user": ("xtremepush", lambda: XtremepushHook().execute_campaign(push(target="real-customer-1"))),
    "Xtremepush, with parameters": (
        "xtremepush",
        lambda: XtremepushHook().execute_campaign(
            push(target_with_params={"real-customer-1": {"email": "dev@example.com"}}, target_by="user_id")
        ),
    ),
    "Xtremepush, nobody": ("xtremepush", lambda: XtremepushHook().execute_campaign(push())),
    "Ozonetel, start": ("ozonetel", lambda: OzonetelHook().set_campaign_status("Progressive", "start")),
    "Exotel, a number": ("exotel", lambda: ExotelHook().create_campaign(campaign(numbers=[DEV, REAL]))),
    "Exotel, lists": ("exotel", lambda: ExotelHook().create_campaign(campaign(lists=["l1"]))),
    "Exotel, lists in overrides": (
        "exotel",
        lambda: ExotelHook().create_campaign(campaign(numbers=[DEV], overrides={"lists": ["l1"]})),
    ),
    "Exotel, resume": ("exotel", lambda: ExotelHook().update_campaign("c1", "resume")),
    "a call that writes": ("collect", lambda: CollectHook().call("post", "/request", json={})),
    "another that does": ("ozonetel", lambda: OzonetelHook().call("PUT", "/ca_apis/setCampaignStatus")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_is_not_allowed_is_refused_before_the_first_request(case: str, sandbox: SandboxClient) -> None:
    vendor, call = REFUSED[case]

    with pytest.raises(InputError, match=f"only_recipients of connection '{vendor}_default': expected .*use") as caught:
        call()

    assert sandbox.received()["requests"] == []
    assert REAL not in str(caught.value)


ALLOWED: dict[str, tuple[str, str, Callable[[], object]]] = {
    "Xebo": ("xebo", "send", lambda: XeboHook().send(COLLECTOR, "", 1, [{"mobile": "+44 7700 900100"}])),
    "Collect": ("collect", "request", lambda: CollectHook().send_request("c", {"email": "A@Example.com"})),
    "Xtremepush": (
        "xtremepush",
        "execute",
        lambda: XtremepushHook().execute_campaign(push(target=["dev-1"], target_by="user_id")),
    ),
    "Ozonetel": ("ozonetel", "set_status", lambda: OzonetelHook().set_campaign_status("Progressive", "Stop")),
    "Exotel": ("exotel", "create_campaign", lambda: ExotelHook().create_campaign(campaign(numbers=[DEV]))),
    "a call that reads": ("collect", "_no_such_path", lambda: CollectHook().call("GET", "/team")),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_who_is_allowed_is_contacted(case: str, sandbox: SandboxClient) -> None:
    vendor, name, call = ALLOWED[case]

    # The sandbox may not know the campaign.
    with suppress(VendorError):
        call()

    assert calls(sandbox, vendor) == [name]

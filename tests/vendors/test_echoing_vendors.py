"""Every vendor, whatever it repeats of what it was sent: no credential reaches an error, an outcome or a log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.exceptions import VendorError
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import Conversation, Response
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from airflow_provider_campaigns.vendors.exotel.dialect import Exotel
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignLead
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.send import ExecuteCampaign
from tests.echoing import FORMS, SENDABLE_SECRETS, EchoingBlocking, everything_said, leaks

WIRE = TransportSettings("http://vendor.example.com")
PATIENCE: dict[str, Any] = {"policy": RetryPolicy(retry_limit=0, max_wait=0)}
EMAIL, NUMBER = "jo@example.com", "+447700900123"
# In the place of it comes the credential, in some form, and a forged log line.
SAID = "<said>"

Made = Callable[[Any], Conversation[Any]]


def sending(send: Any, row: dict[str, Any]) -> Conversation[Any]:
    conversation: Conversation[Any] = send.request([send.contact(row)])
    return conversation


# A dialect's credentials by name, what it is asked, and the replies that may come.
CASES: dict[str, tuple[Callable[[list[str]], Dialect], Callable[[list[str]], Made], list[Any]]] = {
    "collect": (
        lambda secrets: Collect(api_key=secrets[0], **PATIENCE),
        lambda secrets: lambda dialect: sending(SendCollectRequest(dialect, "c1"), {"email": EMAIL}),
        [
            {"message": SAID, "code": SAID},
            {"errors": [SAID, {"email": EMAIL, "message": SAID}]},
            {"errors": [{"contact": EMAIL, "token": SAID}], "request": {"_id": SAID, "contact": {"email": EMAIL}}},
            {"request": {"_id": "r1", "portalUrl": SAID, "contact": {"email": EMAIL}}, "errors": []},
        ],
    ),
    "xebo": (
        lambda secrets: Xebo(api_key=secrets[0], **PATIENCE),
        lambda secrets: lambda dialect: sending(TriggerSurvey(dialect, "c1", secrets[1]), {"email": EMAIL}),
        [
            {"error": {"name": SAID, "message": SAID}},
            {"success": False, "code": 400, "error": SAID, "message": SAID, "data": {SAID: SAID}},
            {
                "accepted": 1,
                "rejected": 0,
                "data": [{"email": EMAIL, "message": f"{SAID} https://s.example.com/{SAID}"}],
            },
            {"accepted": 0, "rejected": 1, "rejected_list": [{"email": EMAIL, "reason": SAID}]},
            {SAID: SAID},
        ],
    ),
    "xtremepush": (
        lambda secrets: Xtremepush(app_token=secrets[0], **PATIENCE),
        lambda secrets: lambda dialect: sending(ExecuteCampaign(dialect, "7"), {"user_id": "u1"}),
        [
            {"success": False, "code": 400, "message": SAID, "errors": [SAID, {"field": SAID}]},
            {"success": True, "errors": {"message": SAID}},
            {"success": SAID, "code": SAID},
        ],
    ),
    "ozonetel": (
        lambda secrets: Ozonetel(user_name="jo", api_key=secrets[0], **PATIENCE),
        lambda secrets: lambda dialect: sending(AddCampaignLead(dialect, "Evening"), {"phoneNumber": NUMBER}),
        [
            {"status": "SUCCESS", "message": SAID},
            {"status": "false", "message": SAID},
            {"status": SAID, "message": f"Number Already Exist {SAID}"},
            {"status": "false", "message": f"Invalid action. {SAID}", "data": SAID},
        ],
    ),
    "exotel": (
        lambda secrets: Exotel(api_key=secrets[0], api_token=secrets[1], account_sid="acme1", **PATIENCE),
        lambda secrets: (
            lambda dialect: dialect.create_campaign(
                CreateCampaign(name="Offers", caller_id="1", url="http://my.exotel.com/x", numbers=[NUMBER])
            )
        ),
        [
            {"response": [{"code": 400, "error_data": {"code": SAID, "message": SAID, "description": SAID}}]},
            {"response": [{"code": 200, "data": {"id": "c1", "name": SAID, "stats": {SAID: [SAID]}}}]},
            {"RestException": {"Status": 400, "Message": SAID, "Code": SAID}},
            {"response": {"code": 403, "error_data": SAID}, "http_code": 403},
        ],
    ),
}


@given(
    secrets=st.lists(SENDABLE_SECRETS, min_size=3, max_size=3, unique=True),
    form=st.sampled_from(sorted(FORMS)),
    which=st.integers(0, 2),
    number=st.integers(0, 20),
    status=st.sampled_from([200, 200, 200, 207, 302, 400, 401, 403, 429, 500, 503]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("vendor", CASES)
def test_nothing_shows_what_a_vendor_repeats(  # noqa: PLR0917
    vendor: str,
    caplog: pytest.LogCaptureFixture,
    secrets: list[str],
    form: str,
    which: int,
    number: int,
    status: int,
) -> None:
    make_dialect, make, bodies = CASES[vendor]
    dialect = make_dialect(secrets)
    tokens = InMemoryTokens()
    tokens.keep(secrets[2], 4e9)
    known = {*dialect.secrets, *(secrets[1:2] if vendor == "xebo" else ()), *(secrets[2:] if dialect.signs_in else ())}
    secret = sorted(known)[which % len(known)]
    said = json.dumps(f"{FORMS[form](secret)}\n\x1b[31mforged")[1:-1]
    body = json.dumps(bodies[number % len(bodies)]).replace(SAID, said)
    caplog.set_level(logging.DEBUG)
    caplog.clear()

    with EchoingBlocking(dialect, WIRE, tokens, sleep=lambda _: None) as transport:
        transport.answers = [Response(status, body.encode())] * 9
        try:
            result = transport.run(make(secrets)(dialect))
        except VendorError as error:
            shown = everything_said(error)
        else:
            shown = repr([asdict(reply) if isinstance(reply, ContactReply) else reply for reply in result])
            shown += repr(result)

    assert not leaks(shown + caplog.text, secret)
    assert "\x1b" not in shown + caplog.text

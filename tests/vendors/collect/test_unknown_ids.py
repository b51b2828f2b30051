"""Contact ids that Collect does not know: 404 for the whole call, which must not stop those behind them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, OutcomeUnknownError, VendorUnavailableError
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import NoReplyError, NotSentError
from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from tests.vendors.conversations import Script

SEND = SendCollectRequest(Collect(api_key="a-key", policy=RetryPolicy(retry_limit=0, max_wait=0)), "campaign")
UNKNOWN = (404, {"message": "The specified object could not be found."})
CAMPAIGN = (200, {"_id": "campaign"})
CALLS = [("POST", "/v1/requests"), ("GET", "/v1/campaigns/campaign")]


def contacts(*names: str) -> list[Contact]:
    return [SEND.contact({"email": name} if "@" in name else {"contact": name}) for name in names]


def made(name: str) -> tuple[int, Any]:
    return 200, {"request": {"_id": f"R-{name}", "contact": {"_id": name}}, "errors": []}


@pytest.mark.parametrize(
    ("names", "replies", "statuses"),
    [
        (["C-1"], [], ["rejected"]),
        (["C-1", "C-2"], [made("C-1"), UNKNOWN], ["accepted", "rejected"]),
        (["C-1", "C-2", "C-3"], [UNKNOWN, made("C-2"), UNKNOWN], ["rejected", "accepted", "rejected"]),
        (["C-1", "a@example.com"], [made("a@example.com"), UNKNOWN], ["rejected", "accepted"]),
        # What ends a single call ends no other.
        (["C-1", "C-2"], [NoReplyError("reset"), made("C-2")], ["unknown", "accepted"]),
        (["C-1", "C-2"], [(400, {"message": "bad"}), made("C-2")], ["rejected", "accepted"]),
        # What ends all calls leaves the rest unknown once somebody was sent to.
        (["C-1", "C-2", "C-3"], [made("C-1"), (402, {})], ["accepted", "unknown", "unknown"]),
        (["C-1", "C-2", "C-3"], [made("C-1"), NotSentError("refused")], ["accepted", "unknown", "unknown"]),
    ],
)
def test_only_those_it_does_not_know_are_rejected(names: list[str], replies: list[Any], statuses: list[str]) -> None:
    script = Script([UNKNOWN, CAMPAIGN, *replies])
    ends = script.play(SEND.request(contacts(*names)))
    assert [end.status for end in ends] == statuses
    assert len(script.requests) == len(script.replies)


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([UNKNOWN, UNKNOWN], CallRefusedError),
        ([UNKNOWN, (403, {})], CallRefusedError),
        ([UNKNOWN, NotSentError("refused")], VendorUnavailableError),
        ([UNKNOWN, CAMPAIGN, (402, {})], CallRefusedError),
        ([UNKNOWN, CAMPAIGN, UNKNOWN, NotSentError("refused")], VendorUnavailableError),
        ([(402, {})], CallRefusedError),
        ([NoReplyError("reset")], OutcomeUnknownError),
    ],
)
def test_as_long_as_nobody_was_sent_to_the_call_is_refused(replies: list[Any], error: type[Exception]) -> None:
    script = Script(replies)
    with pytest.raises(error):
        script.play(SEND.request(contacts("C-1", "C-2")))
    assert len(script.requests) == len(replies)


def test_without_ids_404_is_the_campaign() -> None:
    script = Script([UNKNOWN])
    with pytest.raises(CallRefusedError):
        script.play(SEND.request(contacts("a@example.com")))

"""What Collect says of contacts that a try may have sent before it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_campaigns.protocol.send import LooksUp
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.send import BETWEEN_LOOKUPS, LOOKUPS, SendCollectRequest
from tests.vendors.conversations import Script

SEND = SendCollectRequest(Collect(api_key="key"), "campaign")
SINCE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def request_to(email: str, created: str = "2026-01-01T00:00:05Z") -> dict[str, Any]:
    return {"_id": "r1", "portalUrl": "https://app.example.com/r1", "createdAt": created, "contact": {"email": email}}


def test_a_delivery_can_ask_collect() -> None:
    assert isinstance(SEND, LooksUp)


def test_a_request_made_since_then_settles_its_contact() -> None:
    script = Script([(200, [request_to("jo@example.com")])])

    (reply,) = script.play(SEND.look_up([SEND.contact({"email": "jo@example.com"})], SINCE))

    assert (reply.status, reply.vendor_id, reply.url) == ("accepted", "r1", "https://app.example.com/r1")
    assert [(one.method, one.path) for one in script.requests] == [("GET", "/v1/requests")]
    assert not script.sleeps


def test_not_finding_one_after_three_attempts_is_unknown_and_never_a_reason_to_send() -> None:
    before = request_to("jo@example.com", created="2025-12-31T23:59:00Z")
    script = Script([(200, [before])] * LOOKUPS)

    (reply,) = script.play(SEND.look_up([SEND.contact({"email": "jo@example.com"})], SINCE))

    assert reply.status == "unknown"
    assert [sleep.seconds for sleep in script.sleeps] == [BETWEEN_LOOKUPS] * (LOOKUPS - 1)
    assert {one.method for one in script.requests} == {"GET"}


@pytest.mark.parametrize(
    ("listed", "status"),
    [
        ([{}], "accepted"),
        ([{}, {"_id": "r2"}], "unknown"),
        ([{}, {"_id": "r2", "created": "2026-01-01T08:00:00Z"}, {"_id": "r3"}], "unknown"),
        ([{}, {"_id": "r2", "created": "2025-12-31T23:59:59Z"}], "accepted"),
        ([{}, {"_id": "r2", "campaignId": "another"}], "accepted"),
        ([{"campaignId": "another"}], "unknown"),
        ([{"email": "other.jo@example.com"}], "unknown"),
        ([{"email": "Jo@Example.com", "campaignId": "campaign"}], "accepted"),
    ],
)
def test_a_request_of_another_run_is_not_adopted(listed: list[dict[str, str]], status: str) -> None:
    def request(email: str = "jo@example.com", **more: str) -> dict[str, Any]:
        made = request_to(email, more.pop("created", "2026-01-01T00:00:05Z"))
        return {**made, **more}

    script = Script([(200, [request(**one) for one in listed])] * LOOKUPS)
    (reply,) = script.play(SEND.look_up([SEND.contact({"email": "jo@example.com"})], SINCE))
    assert reply.status == status


def test_only_those_not_found_yet_are_searched_for_again() -> None:
    contacts = [SEND.contact({"email": email}) for email in ("jo@example.com", "al@example.com")]
    script = Script([(200, []), (200, [request_to("al@example.com")]), (200, [request_to("jo@example.com")])])

    replies = script.play(SEND.look_up(contacts, SINCE))

    assert [reply.status for reply in replies] == ["accepted", "accepted"]


def test_a_contact_that_is_an_id_cannot_be_searched_for() -> None:
    script = Script()

    (reply,) = script.play(SEND.look_up([SEND.contact({"contact": "WmTjsFknzHdmfs3Ra"})], SINCE))

    assert reply.status == "unknown"
    assert not script.requests

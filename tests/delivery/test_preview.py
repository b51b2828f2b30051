"""A preview shows what would be sent, without addresses, and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.batches import Reading
from airflow_provider_campaigns.delivery.preview import preview
from airflow_provider_campaigns.delivery.sources import open_source
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Recall, Request, SignIn
from airflow_provider_campaigns.protocol.sending import Contact, ContactReply
from tests.delivery.world import AcmeSend, phones

CONTACTS = [{"phone": number, "name": f"José {number[-2:]}"} for number in phones(5)]


def show(
    contacts: Sequence[Mapping[str, Any]], send: AcmeSend | None = None, size: int = 2
) -> tuple[dict[str, int], str]:
    send = send or AcmeSend()
    counts, request = preview(send, Reading(send), open_source(contacts), size)
    return dict(counts), request


def test_the_first_request_is_shown_with_its_addresses_masked() -> None:
    counts, request = show([{"phone": "no number"}, *CONTACTS, CONTACTS[0]])

    assert counts == {"unsent": 5, "invalid": 1, "duplicate": 1}
    assert request.startswith("POST /send\n[\n")
    assert request.count('"phone"') == 2
    assert "José 00" in request
    assert "447700900000" not in request
    assert "447700900001" not in request


@pytest.mark.parametrize("contacts", [[], [{"phone": "no number"}]])
def test_no_request_without_a_contact(contacts: list[dict[str, str]]) -> None:
    counts, request = show(contacts)

    assert sum(counts.values()) == len(contacts)
    assert request == "none: no contact can be sent"


def test_a_conversation_that_signs_in_first_is_answered_with_nothing_real() -> None:
    answers: list[Any] = []

    class SigningIn(AcmeSend):
        def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
            answers.extend([(yield SignIn()), (yield Recall()), (yield Keep("token", 0))])
            yield Request("POST", f"/send/{contacts[0].key}", "write", json={})
            raise AssertionError("it was sent")

    _, request = show(CONTACTS, SigningIn())

    assert answers == ["***", None, None]
    assert request == "POST /send/***\n{}"

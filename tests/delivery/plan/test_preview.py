"""A preview shows what would be sent, without addresses, and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.preview import FIRST_ROWS, Preview, preview
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Recall, Request, SignIn
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from tests.delivery.world import AcmeSend, phones

CONTACTS = [{"phone": number, "name": f"José {number[-2:]}"} for number in phones(5)]


def show(contacts: Sequence[Mapping[str, Any]], send: AcmeSend | None = None, size: int = 2) -> Preview:
    send = send or AcmeSend()
    return preview(send, Reading(send), open_source(contacts), size)


def test_the_first_request_is_shown_with_its_addresses_masked() -> None:
    counts, request, _ = show([{"phone": "no number"}, *CONTACTS, CONTACTS[0]])

    assert counts == {"unsent": 5, "invalid": 1, "duplicate": 1}
    assert request.startswith("POST /send\n[\n")
    assert request.count('"phone"') == 2
    assert "José 00" in request
    assert "447700900000" not in request
    assert "447700900001" not in request


@pytest.mark.parametrize("contacts", [[], [{"phone": "no number"}]])
def test_no_request_without_a_contact(contacts: list[dict[str, str]]) -> None:
    counts, request, rows = show(contacts)

    assert sum(counts.values()) == len(contacts)
    assert request == "none: no contact can be sent"
    assert rows == []


def test_the_first_rows_are_those_that_would_be_sent_with_their_addresses_masked() -> None:
    people = [{"phone": number, "name": f"José {number[-2:]}"} for number in phones(FIRST_ROWS + 2)]

    rows = show([{"phone": "no number"}, people[0], *people]).rows

    # The second of them follows, though it is repeated, and though a request takes two.
    assert rows == [{"phone": f"+44***{number:02}", "name": f"José {number:02}"} for number in range(FIRST_ROWS)]


def test_an_address_is_masked_wherever_it_stands_in_a_row() -> None:
    rows = show(
        [
            {
                "phone": "+447700900123",
                "name": "+447700900123 or jo@example.com",
                "more": {"mobile": 447700900124, "mails": ["ann@example.com"]},
            }
        ]
    ).rows

    text = str(rows)
    assert not any(part in text for part in ("77009001", "jo@", "ann@"))
    assert "j***@example.com" in text


def test_control_characters_in_a_row_stay_text() -> None:
    shown = show([{"phone": "+447700900123", "name": "\x9b2J\x7f\u202eoj\u2028\n[2026-01-01] ERROR forged"}])

    for text in (shown.request, str(shown.rows)):
        assert not set("\x9b\x7f\u202e\u2028") & set(text)
    assert shown.rows[0]["name"] == r"\x9b2J\x7f\u202eoj\u2028\n[2026-01-01] ERROR forged"


def test_a_conversation_that_signs_in_first_is_answered_with_nothing_real() -> None:
    answers: list[Any] = []

    class SigningIn(AcmeSend):
        def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
            answers.extend([(yield SignIn()), (yield Recall()), (yield Keep("token", 0))])
            yield Request("POST", f"/send/{contacts[0].key}", "write", json={})
            raise AssertionError("it was sent")

    request = show(CONTACTS, SigningIn()).request

    assert answers == ["***", None, None]
    assert request == "POST /send/***\n{}"

"""The rows of a reply to bulk leads: their forms, and numbers that come back in another form than they were sent in."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.ozonetel.replies import row_replies

ADDED, THERE = "SuccessFully Updated", "Number Already Exist"


def contacts(*numbers: str) -> list[Contact]:
    return [Contact(number, {"phoneNumber": number}, (number,)) for number in numbers]


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"Status": ADDED}, "accepted"),
        ({"Status": THERE}, "duplicate"),
        ({"Status": "PhoneNumber Added is a DND Number"}, "rejected"),
        ({"Response": "Success", "msg": "Data added"}, "accepted"),
        ({"Response": "success", "msg": "Number Already Exist"}, "duplicate"),
        ({"Response": "Success"}, "accepted"),
        ({"Response": "Fail", "msg": "Invalid number"}, "rejected"),
        ({"Response": "Error", "msg": None}, "rejected"),
        ({"Response": "FAIL", "msg": "Number Already Existed"}, "duplicate"),
        ({"response": "SUCCESS", "message": "queued"}, "accepted"),
        ({"Response": None, "msg": None}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_forms_of_a_row(row: dict[str, Any], status: str) -> None:
    (reply,) = row_replies(contacts("+447700900123"), [{"PhoneNumber": "+447700900123", **row}], resent=False)
    assert reply.status == status


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("9000000001", "+919000000001"),
        ("9000000001", 919000000001),
        ("+919000000001", "9000000001"),
        ("919000000001", "+919000000001"),
        ("09000000001", "+919000000001"),
        ("+447700900123", "07700900123"),
        ("447700900123", " +44 7700 900123"),
        ("7700900123", "00447700900123"),
        ("12345", "12345"),
    ],
)
def test_a_number_may_come_back_with_or_without_its_country_code(sent: str, answered: object) -> None:
    leads = contacts("+15550100001", sent, "+15550100002")
    replies = row_replies(leads, [{"PhoneNumber": answered, "Status": ADDED}], resent=False)
    assert [reply.status for reply in replies] == ["unknown", "accepted", "unknown"]


def test_rows_without_end_take_no_more_time_than_their_number() -> None:
    leads = contacts(*(f"+9190000{number:05}" for number in range(500)))
    rows = [{"PhoneNumber": 12345678 + number, "Status": ADDED} for number in range(100_000)]

    replies = row_replies(leads, [*rows, {"PhoneNumber": "9000000007", "Status": ADDED}], resent=False)

    assert [position for position, reply in enumerate(replies) if reply.status == "accepted"] == [7]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("12345", "9112345"),
        ("9000000001", "12349000000001"),
        ("9000000001", "919000000002"),
        ("9000000001", ""),
        ("9000000001", None),
        ("9000000001", ["9000000001"]),
    ],
)
def test_another_number_decides_nothing(sent: str, answered: object) -> None:
    (reply,) = row_replies(contacts(sent), [{"PhoneNumber": answered, "Status": ADDED}], resent=False)
    assert reply.status == "unknown"


@pytest.mark.parametrize(
    ("sent", "rows", "statuses"),
    [
        # A number that ends as two leads do, one of them, both by name, and a lead named twice.
        (("+447700900123", "+17700900123"), ["7700900123"], ["unknown", "unknown"]),
        (("7700900123", "+447700900123"), ["+447700900123"], ["unknown", "accepted"]),
        (("+447700900123", "+17700900123"), ["7700900123", "+17700900123"], ["unknown", "accepted"]),
        (("7700900123",), ["7700900123", "+447700900123"], ["unknown"]),
        (("+15550100001", "+15550100001"), ["+15550100001"], ["unknown", "unknown"]),
    ],
)
def test_a_row_that_fits_two_leads_decides_neither(sent: tuple[str, ...], rows: list[str], statuses: list[str]) -> None:
    replies = row_replies(contacts(*sent), [{"PhoneNumber": row, "Status": ADDED} for row in rows], resent=False)
    assert [reply.status for reply in replies] == statuses

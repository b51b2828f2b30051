"""The receipt is counts that add up, and names nobody."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, outcome
from airflow_provider_campaigns.delivery.record.receipt import find_request_ids, make_receipt


def test_contacts_are_the_sum_of_the_seven_statuses() -> None:
    counts: dict[str, int] = {status: number for number, status in enumerate(STATUSES, 1)}

    receipt = make_receipt("acme", "spring", counts, 3, "/outcomes")

    assert receipt["contacts"] == 28
    assert {status: receipt[status] for status in STATUSES} == counts
    assert (receipt["vendor"], receipt["campaign"]) == ("acme", "spring")
    assert (receipt["requests"], receipt["outcomes_path"]) == (3, "/outcomes")


def test_what_did_not_happen_is_zero_and_what_is_no_status_is_left_out() -> None:
    receipt = make_receipt("acme", "spring", Counter(accepted=2, requests=9), 1, None)

    assert list(receipt) == [
        "vendor",
        "campaign",
        "contacts",
        "accepted",
        "duplicate",
        "rejected",
        "invalid",
        "capped",
        "unsent",
        "unknown",
        "requests",
        "normalised",
        "outcomes_path",
    ]
    assert [receipt["contacts"], receipt["accepted"], receipt["unknown"], receipt["requests"]] == [2, 2, 0, 1]
    assert json.loads(json.dumps(receipt)) == receipt


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([], None),
        (["r-1", "r-2"], ["r-1", "r-2"]),
        (["r-1", None], None),
        ([f"r-{number}" for number in range(500)], [f"r-{number}" for number in range(500)]),
        ([f"r-{number}" for number in range(501)], None),
    ],
)
def test_the_vendors_ids_of_a_few_hundred_contacts_are_in_it(ids: list[str | None], found: list[str] | None) -> None:
    lines: list[Any] = [{**outcome(row, "key", "accepted"), "vendor_id": one} for row, one in enumerate(ids, 1)]
    other: Any = {**outcome(len(ids) + 1, "key", "rejected"), "vendor_id": "r-0"}
    receipt = make_receipt("acme", "spring", {"accepted": len(ids), "rejected": 1}, 1, None)

    assert find_request_ids(receipt, lambda: [*lines, other]) == found

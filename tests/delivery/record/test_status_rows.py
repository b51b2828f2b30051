"""
How settled rows ended, as the ledger keeps it.

Feared: a row that two tries settled, an earlier one that was stopped late and its successor, is of two kinds; rows that
end in turns make the record too large; what is given up is taken for accepted.
"""

from __future__ import annotations

import json

import pytest

from airflow_provider_campaigns.delivery.record.outcome import Status
from airflow_provider_campaigns.delivery.record.ranges import RowSet
from airflow_provider_campaigns.delivery.record.status_rows import KEPT, MOST_RANGES, StatusRows


def stored(rows: StatusRows) -> StatusRows:
    return StatusRows.load(json.loads(json.dumps(rows.dump())))


@pytest.mark.parametrize("status", KEPT)
def test_a_row_ends_as_it_was_stored_and_others_were_accepted(status: Status) -> None:
    rows = StatusRows()
    rows.add({status: [2, 3, 7]})

    assert [stored(rows).status_of(row) for row in (1, 2, 3, 7, 8)] == [
        "accepted",
        status,
        status,
        status,
        "accepted",
    ]


@pytest.mark.parametrize(
    ("first", "later", "ended"),
    [
        ({"unknown": [1, 2]}, {}, "accepted"),
        ({}, {"unknown": [1, 2]}, "unknown"),
        ({"rejected": [1, 2]}, {"duplicate": [1, 2]}, "duplicate"),
    ],
)
def test_of_a_row_that_two_tries_settled_the_later_one_counts(
    first: dict[Status, list[int]], later: dict[Status, list[int]], ended: Status
) -> None:
    earlier, newer = StatusRows(), StatusRows()
    earlier.add({**first, "capped": [9]})
    newer.add(later)

    earlier.overrule(newer, RowSet([(1, 2)]))

    assert [earlier.status_of(row) for row in (1, 2, 9)] == [ended, ended, "capped"]


def test_of_too_many_ranges_the_unknown_ones_are_given_up_last() -> None:
    rows = StatusRows()
    rows.add({"rejected": range(2, 2 * MOST_RANGES, 2), "unknown": range(5_001, 5_011, 2), "duplicate": [9_000]})

    found = stored(rows)

    assert found["rejected"] is None
    assert [found.status_of(row) for row in (1, 2, 5_001, 9_000)] == [None, None, "unknown", "duplicate"]
    rows.add({"unknown": range(10_001, 10_001 + 2 * MOST_RANGES, 2)})
    assert rows["unknown"] is None


def test_rows_of_a_try_that_gave_them_up_are_not_known_to_have_been_accepted() -> None:
    first, later = StatusRows({"rejected": None}), StatusRows()
    later.add({"unknown": [3]})

    first.overrule(later, RowSet([(3, 3)]))

    assert [first.status_of(row) for row in (1, 3)] == [None, "unknown"]
